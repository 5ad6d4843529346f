// SPDX-License-Identifier: MIT
// Players that use the published client as a library, in one scenario each against a server:
//
//     peer SCENARIO URL
//
// Whatever the client calls a violation of the protocol, or cannot read, ends the scenario.
use serde_json::{json, Value};
use signal_fish_client::protocol::{
    DeliveryClass, DeliveryReportPayload, GameDataEncoding, IceServer, LobbyState, PlayerId,
    ReplayStatus, RoomId, Topology, TransportKind,
};
use signal_fish_client::webrtc::{DriverEvent, MeshController, MeshEvent, WebRtcDriver};
use signal_fish_client::{
    ErrorCode, GameDataDelivery, JoinRoomParams, PeerSignal, SignalFishClient, SignalFishConfig,
    SignalFishEvent as Event, WebSocketTransport,
};
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;

const PATIENCE: Duration = Duration::from_secs(20);

/// One client, and what it was told.
struct Player {
    name: String,
    client: SignalFishClient,
    events: Receiver<Event>,
    seen: Vec<Event>,
}

impl Player {
    async fn connect(url: &str, name: &str, config: SignalFishConfig) -> Self {
        let transport = WebSocketTransport::connect(url).await.expect("connect");
        let (client, events) = SignalFishClient::start(transport, config);
        let mut player = Player {
            name: name.into(),
            client,
            events,
            seen: Vec::new(),
        };
        player
            .expect("ProtocolInfo", |event| {
                matches!(event, Event::ProtocolInfo(_))
            })
            .await;
        player
    }

    fn check(&self, event: &Event) {
        match event {
            Event::ProtocolViolation { kind, diagnostic } => {
                panic!("{}: violation {kind:?}: {diagnostic}", self.name)
            }
            Event::DecodeFailed {
                message_type,
                error,
                raw_prefix,
            } => {
                panic!(
                    "{}: cannot read {message_type:?}: {error}: {raw_prefix}",
                    self.name
                )
            }
            _ => {}
        }
    }

    async fn next(&mut self, what: &str) -> Event {
        let event = match tokio::time::timeout(PATIENCE, self.events.recv()).await {
            Ok(Some(event)) => event,
            Ok(None) => panic!(
                "{}: the connection ended before {what}: {:?}",
                self.name, self.seen
            ),
            Err(_) => panic!("{}: no {what}; it was told {:?}", self.name, self.seen),
        };
        self.check(&event);
        self.seen.push(event.clone());
        event
    }

    /// The next event that is meant; errors that are not meant are failures.
    async fn expect(&mut self, what: &str, is_meant: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next(what).await;
            if is_meant(&event) {
                return event;
            }
            match &event {
                Event::Error {
                    message,
                    error_code,
                } => {
                    panic!("{}: {message} ({error_code:?}) before {what}", self.name)
                }
                Event::Disconnected { reason, .. } => {
                    panic!("{}: disconnected ({reason:?}) before {what}", self.name)
                }
                _ => {}
            }
        }
    }

    async fn join(&mut self, params: JoinRoomParams) -> Joined {
        self.client.join_room(params).expect("join_room");
        let event = self
            .expect("RoomJoined", |event| {
                matches!(event, Event::RoomJoined { .. })
            })
            .await;
        let Event::RoomJoined {
            room_id,
            room_code,
            player_id,
            current_players,
            is_authority,
            reconnection_token,
            ..
        } = event
        else {
            unreachable!()
        };
        assert!(current_players.iter().any(|player| player.id == player_id));
        Joined {
            room_id,
            code: room_code,
            id: player_id,
            is_authority,
            token: reconnection_token,
        }
    }

    /// Pong comes after the effects of everything that this client sent before.
    async fn settle(&mut self) {
        self.client.ping().expect("ping");
        self.expect("Pong", |event| matches!(event, Event::Pong))
            .await;
    }

    async fn data(&mut self) -> (PlayerId, Value, Option<u64>, Option<DeliveryClass>) {
        match self
            .expect("GameData", |event| matches!(event, Event::GameData { .. }))
            .await
        {
            Event::GameData {
                from_player,
                data,
                seq,
                class,
                ..
            } => (from_player, data, seq, class),
            _ => unreachable!(),
        }
    }

    async fn end(mut self) {
        self.client.shutdown().await;
    }
}

struct Joined {
    room_id: RoomId,
    code: String,
    id: PlayerId,
    is_authority: bool,
    token: Option<String>,
}

fn plain() -> SignalFishConfig {
    SignalFishConfig::new("interop")
}

fn packed(mut config: SignalFishConfig) -> SignalFishConfig {
    config.game_data_format = Some(GameDataEncoding::MessagePack);
    config
}

async fn start_game(players: &mut [&mut Player]) {
    for player in players.iter_mut() {
        player.client.set_ready().expect("set_ready");
    }
    for player in players.iter_mut() {
        player
            .expect("LobbyStateChanged", |event| {
                matches!(
                    event,
                    Event::LobbyStateChanged {
                        all_ready: true,
                        ..
                    }
                )
            })
            .await;
    }
    players[0].client.start_game().expect("start_game");
    for player in players.iter_mut() {
        player
            .expect("GameStarting", |event| {
                matches!(event, Event::GameStarting { .. })
            })
            .await;
    }
}

/// Two players of version 2: no stamp, no token, no plan.
async fn version_2(url: &str) {
    let mut a = Player::connect(url, "a", plain()).await;
    let mut b = Player::connect(url, "b", plain()).await;
    assert_eq!(a.client.negotiated_protocol_version(), None);
    let room = a
        .join(JoinRoomParams::new("interop-2", "Ada").with_max_players(2))
        .await;
    assert!(room.is_authority && room.token.is_none());
    let guest = b
        .join(JoinRoomParams::new("interop-2", "Bob").with_room_code(&room.code))
        .await;
    assert!(!guest.is_authority);
    a.expect(
        "PlayerJoined",
        |event| matches!(event, Event::PlayerJoined { player } if player.id == guest.id),
    )
    .await;

    // Full, and a name that is taken, are answers and not the end.
    let mut c = Player::connect(url, "c", plain()).await;
    c.client
        .join_room(JoinRoomParams::new("interop-2", "Cid").with_room_code(&room.code))
        .expect("join_room");
    let refused = c
        .expect("RoomJoinFailed", |event| {
            matches!(event, Event::RoomJoinFailed { .. })
        })
        .await;
    assert!(matches!(
        refused,
        Event::RoomJoinFailed {
            error_code: Some(ErrorCode::RoomFull),
            ..
        }
    ));
    c.end().await;

    start_game(&mut [&mut a, &mut b]).await;
    for i in 0..100 {
        a.client.send_game_data(json!({ "i": i })).expect("send");
    }
    for i in 0..100 {
        let (from, data, seq, class) = b.data().await;
        assert_eq!(
            (from, data, seq, class),
            (room.id, json!({ "i": i }), None, None)
        );
    }
    b.client.leave_room().expect("leave_room");
    b.expect("RoomLeft", |event| matches!(event, Event::RoomLeft))
        .await;
    a.expect("PlayerLeft", |event| {
        matches!(event, Event::PlayerLeft { player_id, epoch: None, final_seq: None } if *player_id == guest.id)
    })
    .await;
    a.settle().await;
    assert!(!a
        .seen
        .iter()
        .any(|event| matches!(event, Event::SessionPlan { .. } | Event::DeliveryReport(_))));
    a.end().await;
    b.end().await;
}

/// Two players of version 3, and one of version 2 beside them, who sees neither class nor stamp.
async fn version_3(url: &str) {
    let mut a = Player::connect(url, "a", plain().enable_v3()).await;
    let mut b = Player::connect(url, "b", plain().enable_v3()).await;
    let mut c = Player::connect(url, "c", plain().with_protocol_version(2)).await;
    assert_eq!(a.client.negotiated_protocol_version(), Some(3));
    let room = a
        .join(JoinRoomParams::new("interop-3", "Ada").with_max_players(4))
        .await;
    assert!(room.token.is_some());
    let code = &room.code;
    b.join(JoinRoomParams::new("interop-3", "Bob").with_room_code(code))
        .await;
    c.join(JoinRoomParams::new("interop-3", "Cid").with_room_code(code))
        .await;
    start_game(&mut [&mut a, &mut b, &mut c]).await;
    for player in [&mut a, &mut b] {
        let plan = player
            .expect("SessionPlan", |event| {
                matches!(event, Event::SessionPlan { .. })
            })
            .await;
        let Event::SessionPlan {
            topology,
            transport,
            peers,
            ..
        } = plan
        else {
            unreachable!()
        };
        assert_eq!(
            (topology, transport, peers.len()),
            (Topology::Relay, TransportKind::Relay, 0)
        );
    }
    a.client
        .send_game_data_with_delivery(json!(1), GameDataDelivery::Reliable)
        .expect("send");
    a.client
        .send_game_data_with_delivery(json!([2]), GameDataDelivery::Latest { key: 7 })
        .expect("send");
    a.client
        .send_game_data_with_delivery(json!("3"), GameDataDelivery::Volatile)
        .expect("send");
    for (seq, (value, class)) in [
        (json!(1), DeliveryClass::Reliable),
        (json!([2]), DeliveryClass::Latest),
        (json!("3"), DeliveryClass::Volatile),
    ]
    .into_iter()
    .enumerate()
    {
        let (_, data, stamp, told) = b.data().await;
        assert_eq!((data, stamp), (value.clone(), Some(seq as u64 + 1)));
        assert_eq!(told.unwrap_or(DeliveryClass::Reliable), class);
        let (_, data, stamp, told) = c.data().await;
        assert_eq!((data, stamp, told), (value, None, None));
    }
    for player in [a, b, c] {
        player.end().await;
    }
}

/// MessagePack as it is for who takes it, and as JSON for who does not. Nobody here sends text: this
/// client takes game data as text only if its own format is JSON.
async fn binary(url: &str) {
    let mut a = Player::connect(url, "a", plain().enable_v3()).await;
    let mut b = Player::connect(url, "b", packed(plain().enable_v3())).await;
    let mut c = Player::connect(url, "c", packed(plain().with_protocol_version(2))).await;
    let mut d = Player::connect(url, "d", packed(plain().enable_v3())).await;
    let room = a
        .join(JoinRoomParams::new("interop-binary", "Ada").with_max_players(4))
        .await;
    for (player, name) in [(&mut b, "Bob"), (&mut c, "Cid"), (&mut d, "Dan")] {
        player
            .join(JoinRoomParams::new("interop-binary", name).with_room_code(&room.code))
            .await;
    }
    // {"x": 5, "y": [1, 2]}
    let sent = vec![0x82, 0xa1, b'x', 0x05, 0xa1, b'y', 0x92, 0x01, 0x02];
    b.client.send_binary_game_data(sent.clone()).expect("send");
    let (_, data, stamp, _) = a.data().await;
    assert_eq!((data, stamp), (json!({ "x": 5, "y": [1, 2] }), Some(1)));
    for (player, stamp) in [(&mut c, None), (&mut d, Some(1))] {
        let got = player
            .expect("GameDataBinary", |event| {
                matches!(event, Event::GameDataBinary { .. })
            })
            .await;
        let Event::GameDataBinary {
            payload,
            encoding,
            seq,
            ..
        } = got
        else {
            unreachable!()
        };
        assert_eq!(
            (&payload, encoding, seq),
            (&sent, GameDataEncoding::MessagePack, stamp)
        );
    }
    // What JSON cannot say is reported before the error: a bin of one byte.
    b.client
        .send_binary_game_data(vec![0xc4, 0x01, 0xff])
        .expect("send");
    let report = a
        .expect("DeliveryReport", |event| {
            matches!(event, Event::DeliveryReport(_))
        })
        .await;
    let Event::DeliveryReport(DeliveryReportPayload { gaps, .. }) = report else {
        unreachable!()
    };
    assert_eq!((gaps.len(), gaps[0].from_seq, gaps[0].to_seq), (1, 2, 2));
    a.expect("Error", |event| {
        matches!(
            event,
            Event::Error {
                error_code: Some(ErrorCode::UnsupportedGameDataFormat),
                ..
            }
        )
    })
    .await;
    for player in [a, b, c, d] {
        player.end().await;
    }
}

async fn authority(url: &str) {
    let mut a = Player::connect(url, "a", plain().enable_v3()).await;
    let mut b = Player::connect(url, "b", plain()).await;
    let room = a
        .join(JoinRoomParams::new("interop-authority", "Ada"))
        .await;
    let guest = b
        .join(JoinRoomParams::new("interop-authority", "Bob").with_room_code(&room.code))
        .await;
    let answer = |event: &Event| matches!(event, Event::AuthorityResponse { .. });
    b.client.request_authority(true).expect("request_authority");
    let refused = b.expect("AuthorityResponse", answer).await;
    assert!(matches!(
        refused,
        Event::AuthorityResponse {
            granted: false,
            error_code: Some(ErrorCode::AuthorityConflict),
            ..
        }
    ));
    a.client
        .request_authority(false)
        .expect("request_authority");
    assert!(matches!(
        a.expect("AuthorityResponse", answer).await,
        Event::AuthorityResponse { granted: true, .. }
    ));
    b.expect("AuthorityChanged", |event| {
        matches!(
            event,
            Event::AuthorityChanged {
                authority_player: None,
                you_are_authority: false
            }
        )
    })
    .await;
    b.client.request_authority(true).expect("request_authority");
    assert!(matches!(
        b.expect("AuthorityResponse", answer).await,
        Event::AuthorityResponse { granted: true, .. }
    ));
    b.expect("AuthorityChanged", |event| {
        matches!(
            event,
            Event::AuthorityChanged {
                you_are_authority: true,
                ..
            }
        )
    })
    .await;
    a.expect("AuthorityChanged", |event| {
        matches!(event, Event::AuthorityChanged { authority_player: Some(id), .. } if *id == guest.id)
    })
    .await;
    // Who holds it, and may start, leaves: it is free again.
    b.client.leave_room().expect("leave_room");
    a.expect("AuthorityChanged", |event| {
        matches!(
            event,
            Event::AuthorityChanged {
                authority_player: None,
                ..
            }
        )
    })
    .await;
    a.end().await;
    b.end().await;
}

/// A player comes back with its token, and hears what it missed.
async fn reconnect(url: &str) {
    let mut a = Player::connect(url, "a", plain().enable_v3()).await;
    let mut b = Player::connect(url, "b", plain().enable_v3()).await;
    let room = a
        .join(JoinRoomParams::new("interop-reconnect", "Ada").with_max_players(4))
        .await;
    let lost = b
        .join(JoinRoomParams::new("interop-reconnect", "Bob").with_room_code(&room.code))
        .await;
    b.client.send_game_data(json!("before")).expect("send");
    a.data().await;
    let mut token = lost.token.expect("a token");
    drop(b); // without a word
    a.expect("PlayerLeft", |event| {
        matches!(event, Event::PlayerLeft { player_id, final_seq: Some(1), .. } if *player_id == lost.id)
    })
    .await;

    // While it is away somebody comes, and a spectator looks in.
    let mut c = Player::connect(url, "c", plain().enable_v3()).await;
    c.join(JoinRoomParams::new("interop-reconnect", "Cid").with_room_code(&room.code))
        .await;
    let mut wrong = Player::connect(url, "wrong", plain().enable_v3()).await;
    wrong
        .client
        .reconnect(lost.id, lost.room_id, "not-the-token".into())
        .expect("reconnect");
    let refused = wrong
        .expect("ReconnectionFailed", |event| {
            matches!(event, Event::ReconnectionFailed { .. })
        })
        .await;
    assert!(matches!(
        refused,
        Event::ReconnectionFailed {
            error_code: ErrorCode::ReconnectionTokenInvalid,
            ..
        }
    ));
    wrong.end().await;

    for round in 0..3u64 {
        let mut back = Player::connect(url, "back", plain().enable_v3()).await;
        back.client
            .reconnect(lost.id, lost.room_id, token.clone())
            .expect("reconnect");
        let told = back
            .expect("Reconnected", |event| {
                matches!(event, Event::Reconnected { .. })
            })
            .await;
        let Event::Reconnected {
            player_id,
            missed_events,
            replay,
            sender_watermarks,
            reconnection_token,
            current_players,
            ..
        } = told
        else {
            unreachable!()
        };
        assert_eq!((player_id, replay), (lost.id, Some(ReplayStatus::Complete)));
        assert_eq!(sender_watermarks.len(), current_players.len());
        let newcomers = missed_events
            .iter()
            .filter(|event| matches!(event, Event::PlayerJoined { .. }))
            .count();
        assert_eq!(
            newcomers,
            usize::from(round == 0),
            "round {round}: {missed_events:?}"
        );
        let fresh = reconnection_token.expect("a fresh token");
        assert_ne!(fresh, token);
        token = fresh;
        a.expect("PlayerReconnected", |event| {
            matches!(event, Event::PlayerReconnected { player_id, .. } if *player_id == lost.id)
        })
        .await;
        // Its numbers begin again, and what is sent to it is whole.
        back.client.send_game_data(json!(round)).expect("send");
        let (_, data, seq, _) = a.data().await;
        assert_eq!((data, seq), (json!(round), Some(1)));
        a.client
            .send_game_data(json!({ "to": round }))
            .expect("send");
        assert_eq!(back.data().await.1, json!({ "to": round }));
        drop(back);
        a.expect("PlayerLeft", |event| {
            matches!(event, Event::PlayerLeft { .. })
        })
        .await;
    }
    a.end().await;
    c.end().await;
}

/// A spectator sees what players see, and says nothing.
async fn spectate(url: &str) {
    let mut a = Player::connect(url, "a", plain().enable_v3()).await;
    let mut b = Player::connect(url, "b", plain()).await;
    let room = a
        .join(JoinRoomParams::new("interop-spectate", "Ada").with_max_players(4))
        .await;
    let mut viewers = vec![
        Player::connect(url, "viewer of version 3", plain().enable_v3()).await,
        Player::connect(url, "viewer of version 2", plain()).await,
    ];
    a.client.send_game_data(json!("unseen")).expect("send");
    a.settle().await;
    for viewer in &mut viewers {
        viewer
            .client
            .join_as_spectator(
                "interop-spectate".into(),
                room.code.to_lowercase(),
                "Eve".into(),
            )
            .expect("join_as_spectator");
        viewer
            .expect("SpectatorJoined", |event| {
                matches!(event, Event::SpectatorJoined { .. })
            })
            .await;
        a.expect("NewSpectatorJoined", |event| {
            matches!(event, Event::NewSpectatorJoined { .. })
        })
        .await;
    }
    b.join(JoinRoomParams::new("interop-spectate", "Bob").with_room_code(&room.code))
        .await;
    a.client.send_game_data(json!("seen")).expect("send");
    start_game(&mut [&mut a, &mut b]).await;
    for viewer in &mut viewers {
        viewer
            .expect("PlayerJoined", |event| {
                matches!(event, Event::PlayerJoined { .. })
            })
            .await;
        assert_eq!(viewer.data().await.1, json!("seen"));
        viewer
            .expect("GameStarting", |event| {
                matches!(event, Event::GameStarting { .. })
            })
            .await;
    }
    let mut viewer = viewers.remove(0);
    viewer.client.leave_spectator().expect("leave_spectator");
    viewer
        .expect("SpectatorLeft", |event| {
            matches!(event, Event::SpectatorLeft { .. })
        })
        .await;
    a.expect("SpectatorDisconnected", |event| {
        matches!(event, Event::SpectatorDisconnected { .. })
    })
    .await;
    drop(viewers); // the other one goes without a word
    a.expect("SpectatorDisconnected", |event| {
        matches!(event, Event::SpectatorDisconnected { .. })
    })
    .await;
    viewer.end().await;
    a.end().await;
    b.end().await;
}

/// A handshake as WebRTC has it, without WebRTC.
#[derive(Default)]
struct Handshake {
    outgoing: VecDeque<DriverEvent>,
    offered: BTreeSet<PlayerId>,
}

impl WebRtcDriver for Handshake {
    fn set_ice_servers(&mut self, _servers: &[IceServer]) {}
    fn connect(&mut self, peer: PlayerId, initiate: bool) {
        if initiate {
            self.offered.insert(peer);
            self.outgoing.push_back(DriverEvent::Signal {
                peer,
                signal: PeerSignal::Offer("offer".into()),
            });
        }
    }
    fn on_signal(&mut self, peer: PlayerId, signal: PeerSignal) {
        match signal {
            PeerSignal::Offer(_) => {
                assert!(!self.offered.contains(&peer), "both sides offered");
                for signal in [
                    PeerSignal::Answer("answer".into()),
                    PeerSignal::IceCandidate("candidate".into()),
                ] {
                    self.outgoing
                        .push_back(DriverEvent::Signal { peer, signal });
                }
                self.outgoing.push_back(DriverEvent::Connected { peer });
            }
            PeerSignal::Answer(_) => self.outgoing.push_back(DriverEvent::Connected { peer }),
            PeerSignal::IceCandidate(_) => {}
        }
    }
    fn send(&mut self, _peer: PlayerId, _data: &[u8]) {}
    fn disconnect(&mut self, peer: PlayerId) {
        self.outgoing.push_back(DriverEvent::Disconnected { peer });
    }
    fn poll(&mut self) -> Option<DriverEvent> {
        self.outgoing.pop_front()
    }
}

struct MeshPlayer {
    mesh: MeshController<Handshake>,
    peers: BTreeSet<PlayerId>,
    statuses: usize,
    is_ready: bool,
}

impl MeshPlayer {
    async fn connect(url: &str) -> Self {
        let transport = WebSocketTransport::connect(url).await.expect("connect");
        let mesh = MeshController::start(transport, plain(), Handshake::default());
        let mut player = MeshPlayer {
            mesh,
            peers: BTreeSet::new(),
            statuses: 0,
            is_ready: false,
        };
        player
            .until("ProtocolInfo", |event| {
                matches!(event, Event::ProtocolInfo(_))
            })
            .await;
        player
    }

    async fn step(&mut self, what: &str) -> Option<Event> {
        match tokio::time::timeout(PATIENCE, self.mesh.recv()).await {
            Ok(Some(MeshEvent::PeerConnected(peer))) => {
                self.peers.insert(peer);
                None
            }
            Ok(Some(MeshEvent::PeerDisconnected(peer))) => {
                self.peers.remove(&peer);
                None
            }
            Ok(Some(MeshEvent::Signaling(event))) => {
                match &*event {
                    Event::ProtocolViolation { kind, diagnostic } => {
                        panic!("violation {kind:?}: {diagnostic}")
                    }
                    Event::DecodeFailed {
                        error, raw_prefix, ..
                    } => panic!("cannot read: {error}: {raw_prefix}"),
                    Event::Error {
                        message,
                        error_code,
                    } => panic!("{message} ({error_code:?}) before {what}"),
                    Event::PeerTransportStatus {
                        connected: true, ..
                    } => self.statuses += 1,
                    Event::LobbyStateChanged { all_ready, .. } => self.is_ready = *all_ready,
                    _ => {}
                }
                Some(*event)
            }
            Ok(Some(MeshEvent::Data { .. })) => None,
            Ok(None) => panic!("the connection ended before {what}"),
            Err(_) => panic!("no {what}"),
        }
    }

    async fn until(&mut self, what: &str, is_meant: impl Fn(&Event) -> bool) -> Event {
        loop {
            if let Some(event) = self.step(what).await {
                if is_meant(&event) {
                    return event;
                }
            }
        }
    }
}

/// Three players make a mesh; a fourth comes late, and one goes.
async fn mesh(url: &str) {
    let mut players = Vec::new();
    let mut code = String::new();
    let mut ids = Vec::new();
    for i in 0..4 {
        let mut player = MeshPlayer::connect(url).await;
        let mut params = JoinRoomParams::new("interop-mesh", format!("P{i}")).with_max_players(4);
        if i > 0 {
            params = params.with_room_code(&code);
        }
        if i == 3 {
            players = begin(players).await;
        }
        player.mesh.join_room(params).expect("join_room");
        let joined = player
            .until("RoomJoined", |event| {
                matches!(event, Event::RoomJoined { .. })
            })
            .await;
        let Event::RoomJoined {
            room_code,
            player_id,
            lobby_state,
            ..
        } = joined
        else {
            unreachable!()
        };
        assert_eq!(lobby_state == LobbyState::Finalized, i == 3);
        code = room_code;
        ids.push(player_id);
        players.push(player);
    }
    for i in 0..players.len() {
        let others: BTreeSet<PlayerId> = ids.iter().copied().filter(|id| *id != ids[i]).collect();
        players = settle(players, |players| players[i].peers == others).await;
    }
    let gone = players.remove(0);
    gone.mesh.shutdown().await;
    for i in 0..players.len() {
        let others: BTreeSet<PlayerId> = ids[1..]
            .iter()
            .copied()
            .filter(|id| *id != ids[i + 1])
            .collect();
        players = settle(players, |players| players[i].peers == others).await;
    }
    // Who came late has not heard what the others reported before.
    assert!(
        players[..2].iter().all(|player| player.statuses > 0),
        "transport reports go to the others"
    );
    for player in players {
        player.mesh.shutdown().await;
    }
}

async fn begin(mut players: Vec<MeshPlayer>) -> Vec<MeshPlayer> {
    for player in &mut players {
        player.mesh.set_ready().expect("set_ready");
    }
    players = settle(players, |players| {
        players.iter().all(|player| player.is_ready)
    })
    .await;
    players[0].mesh.start_game().expect("start_game");
    settle(players, |players| {
        players.iter().all(|player| player.peers.len() == 2)
    })
    .await
}

/// Serves all of them until it holds.
async fn settle(
    mut players: Vec<MeshPlayer>,
    holds: impl Fn(&[MeshPlayer]) -> bool,
) -> Vec<MeshPlayer> {
    let end = Instant::now() + PATIENCE;
    while !holds(&players) {
        assert!(Instant::now() < end, "the mesh is not complete");
        for player in &mut players {
            let _ = tokio::time::timeout(Duration::from_millis(5), player.step("the mesh")).await;
        }
    }
    players
}

fn large(i: u64) -> Value {
    json!({ "i": i, "pad": "x".repeat(8 * 1024) })
}

/// Who takes nothing is closed, and nobody else hears anything of it but that it left.
async fn slow_consumer(url: &str) {
    let mut a = Player::connect(url, "a", plain().enable_v3()).await;
    let mut healthy = Player::connect(
        url,
        "healthy",
        plain().enable_v3().with_event_channel_capacity(100_000),
    )
    .await;
    let mut slow = Player::connect(
        url,
        "slow",
        plain().enable_v3().with_event_channel_capacity(1),
    )
    .await;
    let room = a
        .join(JoinRoomParams::new("interop-slow", "Ada").with_max_players(3))
        .await;
    healthy
        .join(JoinRoomParams::new("interop-slow", "Bob").with_room_code(&room.code))
        .await;
    let lost = slow
        .join(JoinRoomParams::new("interop-slow", "Cid").with_room_code(&room.code))
        .await;
    let end = Instant::now() + PATIENCE;
    let mut sent = 0;
    let mut received = 0;
    'flood: loop {
        assert!(
            Instant::now() < end,
            "the slow one is still there after {sent} messages"
        );
        // About 4 MB a second, which who reads can take.
        if a.client.send_game_data(large(sent)).is_ok() {
            sent += 1;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        while let Ok(event) = healthy.events.try_recv() {
            healthy.check(&event);
            match event {
                Event::GameData { data, .. } => {
                    assert_eq!(data["i"], json!(received));
                    received += 1;
                }
                Event::PlayerLeft { player_id, .. } if player_id == lost.id => break 'flood,
                Event::Disconnected { reason, .. } => {
                    panic!("the healthy one is gone too: {reason:?}")
                }
                _ => {}
            }
        }
    }
    while received < sent {
        let (_, data, _, _) = healthy.data().await;
        assert_eq!(data["i"], json!(received));
        received += 1;
    }
    let gone = loop {
        if let Event::Disconnected { reason, .. } = slow.next("Disconnected").await {
            break reason;
        }
    };
    println!("slow consumer: {sent} messages, closed with {gone:?}");
    assert!(
        gone.unwrap_or_default().contains("4002"),
        "closed as a slow consumer"
    );
    a.end().await;
    healthy.end().await;
}

/// Who is slow for a while loses what may be lost, and is told of each of them.
async fn lossy(url: &str) {
    let mut a = Player::connect(url, "a", plain().enable_v3()).await;
    let mut b = Player::connect(url, "b", plain().enable_v3().with_event_channel_capacity(1)).await;
    let room = a
        .join(JoinRoomParams::new("interop-lossy", "Ada").with_max_players(2))
        .await;
    b.join(JoinRoomParams::new("interop-lossy", "Bob").with_room_code(&room.code))
        .await;
    let count = 4000;
    let mut i = 0;
    while i < count {
        let delivery = match i % 3 {
            0 => GameDataDelivery::Volatile,
            n => GameDataDelivery::Latest { key: n as u32 },
        };
        if a.client
            .send_game_data_with_delivery(large(i), delivery)
            .is_ok()
        {
            i += 1;
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    a.settle().await;
    a.client.send_game_data(json!("last")).expect("send");
    let mut received = 0u64;
    let mut missed = 0u64;
    loop {
        match b.next("the last message").await {
            Event::GameData { data, .. } if data == json!("last") => break,
            Event::GameData { .. } => received += 1,
            Event::DeliveryReport(report) => {
                missed += report
                    .gaps
                    .iter()
                    .map(|gap| gap.to_seq - gap.from_seq + 1)
                    .sum::<u64>();
            }
            Event::Disconnected { reason, .. } => panic!("disconnected: {reason:?}"),
            _ => {}
        }
        b.seen.clear();
    }
    println!("lossy: {received} received, {missed} reported as missed");
    assert_eq!(received + missed, count);
    assert!(missed > 0, "nothing was lost: the recipient was not slow");
    a.end().await;
    b.end().await;
}

/// The server is about to end: it says so, and closes.
async fn drain(url: &str) {
    let mut a = Player::connect(url, "a", plain().enable_v3()).await;
    let mut b = Player::connect(url, "b", plain()).await;
    let room = a.join(JoinRoomParams::new("interop-drain", "Ada")).await;
    b.join(JoinRoomParams::new("interop-drain", "Bob").with_room_code(&room.code))
        .await;
    println!("joined");
    a.expect("GoingAway", |event| {
        matches!(event, Event::GoingAway { .. })
    })
    .await;
    // What is there goes on.
    a.client.send_game_data(json!("still here")).expect("send");
    assert_eq!(b.data().await.1, json!("still here"));
    for player in [&mut a, &mut b] {
        loop {
            if let Event::Disconnected { reason, .. } = player.next("Disconnected").await {
                assert!(
                    reason.clone().unwrap_or_default().contains("4000"),
                    "{reason:?}"
                );
                break;
            }
        }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (scenario, url) = (arguments[1].as_str(), arguments[2].as_str());
    match scenario {
        "version-2" => version_2(url).await,
        "version-3" => version_3(url).await,
        "binary" => binary(url).await,
        "authority" => authority(url).await,
        "reconnect" => reconnect(url).await,
        "spectate" => spectate(url).await,
        "mesh" => mesh(url).await,
        "slow-consumer" => slow_consumer(url).await,
        "lossy" => lossy(url).await,
        "drain" => drain(url).await,
        _ => panic!("there is no scenario {scenario}"),
    }
    println!("{scenario}: done");
}
