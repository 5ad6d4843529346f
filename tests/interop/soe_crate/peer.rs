// SPDX-License-Identifier: MIT
// An echo server and its clients over the published crate soe-protocol, to talk to muster's.
//
//     peer server PROTOCOL [--key HEX]
//     peer client ADDRESS PROTOCOL [--key HEX] [--sessions N] [--count N] [--sizes A,B,...]
//                 [--channels 0,1,2,3,unreliable]
//
// The server says where it listens, and runs until it is killed. A client checks every echo, and
// ends with status 0 if all of them were right. One source for both versions of the crate: only the
// second has more channels than one.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use soe_protocol::{
    ApplicationParameters, DisconnectReason, Rc4KeyState, SessionParameters, SocketConfig,
    SocketEvent, SoeMultiplexer, UdpTransport,
};

const TICK: Duration = Duration::from_millis(1);
const DEADLINE: Duration = Duration::from_secs(60);
const UNRELIABLE: usize = 4;

struct Options {
    protocol: String,
    key: Option<Vec<u8>>,
    sessions: u32,
    count: u32,
    sizes: Vec<usize>,
    channels: Vec<usize>,
}

/// The crate's multiplexer on a socket of our own. The crate's own blocking socket takes one datagram
/// at a time, and so loses most of what its own sender sends at once.
struct Endpoint {
    mux: SoeMultiplexer<SocketAddr>,
    transport: Transport,
}

struct Transport {
    socket: UdpSocket,
    may_wait: bool,
}

impl UdpTransport for Transport {
    type Addr = SocketAddr;

    fn try_recv(&mut self, buffer: &mut [u8]) -> std::io::Result<Option<(usize, SocketAddr)>> {
        // At most once in a step.
        let waits = std::mem::replace(&mut self.may_wait, false);
        self.socket.set_nonblocking(!waits)?;
        match self.socket.recv_from(buffer) {
            Ok(arrived) => Ok(Some(arrived)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn send_to(&mut self, bytes: &[u8], to: &SocketAddr) -> std::io::Result<usize> {
        self.socket.send_to(bytes, to)
    }
}

impl Endpoint {
    fn new(options: &Options, seed: u64) -> std::io::Result<Self> {
        let config = SocketConfig {
            default_session_params: SessionParameters {
                application_protocol: options.protocol.clone(),
                ..SessionParameters::default()
            },
            app_params: ApplicationParameters {
                encryption_key_state: options.key.as_deref().map(Rc4KeyState::new),
            },
            base_rng_seed: seed,
            ..SocketConfig::default()
        };
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(TICK))?;
        Ok(Self {
            mux: SoeMultiplexer::new(config),
            transport: Transport {
                socket,
                may_wait: false,
            },
        })
    }

    fn step(&mut self) -> Result<Vec<SocketEvent<SocketAddr>>, String> {
        self.transport.may_wait = true;
        self.mux
            .drive(&mut self.transport, Instant::now())
            .map_err(|error| error.to_string())?;
        Ok(self.mux.take_events())
    }
}

#[cfg(feature = "channels")]
fn send(endpoint: &mut Endpoint, to: &SocketAddr, data: &[u8], channel: usize) -> bool {
    use soe_protocol::Channel;
    let channel = if channel == UNRELIABLE {
        Channel::Unreliable
    } else {
        Channel::Reliable(channel)
    };
    endpoint.mux.enqueue_data_on(to, data, channel)
}

#[cfg(not(feature = "channels"))]
fn send(endpoint: &mut Endpoint, to: &SocketAddr, data: &[u8], channel: usize) -> bool {
    assert_eq!(channel, 0, "this version has one channel");
    endpoint.mux.enqueue_data(to, data)
}

/// What arrived: from whom, on which channel, what.
#[cfg(feature = "channels")]
fn received(event: &SocketEvent<SocketAddr>) -> Option<(SocketAddr, usize, &[u8])> {
    use soe_protocol::Channel;
    match event {
        SocketEvent::DataReceived {
            remote,
            data,
            channel,
        } => {
            let number = match channel {
                Channel::Reliable(number) => *number,
                Channel::Unreliable => UNRELIABLE,
            };
            Some((*remote, number, data))
        }
        _ => None,
    }
}

#[cfg(not(feature = "channels"))]
fn received(event: &SocketEvent<SocketAddr>) -> Option<(SocketAddr, usize, &[u8])> {
    match event {
        SocketEvent::DataReceived { remote, data } => Some((*remote, 0, data)),
        _ => None,
    }
}

fn serve(options: &Options) -> Result<(), String> {
    let mut endpoint = Endpoint::new(options, 1).map_err(|error| error.to_string())?;
    println!(
        "listens on {}",
        endpoint.transport.socket.local_addr().unwrap()
    );
    loop {
        for event in endpoint.step()? {
            if let Some((remote, channel, data)) = received(&event) {
                // False: the session ended while its message was on the way to us.
                let _ = send(&mut endpoint, &remote, data, channel);
            }
        }
    }
}

/// A message that no other one is like. Every third begins with the byte that the protocol escapes;
/// none with the two that an unencrypted receiver takes for a bundle.
fn message(session: u32, number: u32, size: usize) -> Vec<u8> {
    let mut state = session.wrapping_mul(0x9e37_79b9) ^ number;
    let mut bytes = Vec::with_capacity(size);
    for _ in 0..size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push((state >> 24) as u8);
    }
    if number % 3 == 0 {
        bytes[0] = 0;
    }
    if size > 1 && bytes[0] == 0 && bytes[1] == 0x19 {
        bytes[1] = 0x1a;
    }
    bytes
}

fn play(options: &Options, server: SocketAddr, session: u32) -> Result<u64, String> {
    let mut endpoint =
        Endpoint::new(options, 1000 + u64::from(session)).map_err(|error| error.to_string())?;
    endpoint.mux.connect(server, Instant::now());
    let deadline = Instant::now() + DEADLINE;
    let mut is_open = false;
    let mut next = 0;
    let mut done = 0;
    let mut bytes = 0;
    // By channel: what is to come back, in this order.
    let mut expected: Vec<VecDeque<Vec<u8>>> = vec![VecDeque::new(); UNRELIABLE + 1];
    let mut under_way = 0;
    let mut last_sent = Instant::now();
    while done < options.count {
        if Instant::now() > deadline {
            return Err(format!(
                "session {session}: only {done} messages came back in time"
            ));
        }
        while is_open && next < options.count {
            let channel = options.channels[next as usize % options.channels.len()];
            let size = options.sizes[next as usize % options.sizes.len()];
            // What may get lost is sent alone, so that it is known what did.
            if under_way > 0 && (channel == UNRELIABLE || under_way + size > 32 * 1024) {
                break;
            }
            if !expected[UNRELIABLE].is_empty() {
                break;
            }
            let data = message(session, next, size);
            if !send(&mut endpoint, &server, &data, channel) {
                return Err(format!("session {session}: message {next} was not taken"));
            }
            under_way += size;
            expected[channel].push_back(data);
            last_sent = Instant::now();
            next += 1;
        }
        if let Some(lost) = expected[UNRELIABLE].front() {
            if last_sent.elapsed() > Duration::from_millis(250) {
                send(&mut endpoint, &server, lost, UNRELIABLE);
                last_sent = Instant::now();
            }
        }
        for event in endpoint.step()? {
            if let Some((_, channel, data)) = received(&event) {
                match expected[channel].pop_front() {
                    Some(wanted) if wanted == data => {}
                    Some(wanted) => {
                        return Err(format!(
                            "session {session}, channel {channel}: {} bytes came back, not these {}",
                            data.len(),
                            wanted.len()
                        ));
                    }
                    // An echo of one that was sent again.
                    None if channel == UNRELIABLE => continue,
                    None => return Err(format!("session {session}: a message came back twice")),
                }
                under_way -= data.len();
                bytes += data.len() as u64;
                done += 1;
            }
            match event {
                SocketEvent::SessionOpened { .. } => is_open = true,
                SocketEvent::SessionClosed { reason, .. } => {
                    return Err(format!("session {session}: closed, {reason:?}"));
                }
                SocketEvent::DataReceived { .. } => {}
            }
        }
    }
    endpoint
        .mux
        .terminate(&server, DisconnectReason::Application, Instant::now());
    endpoint.step()?;
    Ok(bytes)
}

fn run_clients(options: &Options, server: SocketAddr) -> Result<(), String> {
    let start = Instant::now();
    let mut bytes = 0;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..options.sessions)
            .map(|session| scope.spawn(move || play(options, server, session)))
            .collect();
        for client in clients {
            bytes += client
                .join()
                .map_err(|_| "a client panicked".to_owned())??;
        }
        Ok::<(), String>(())
    })?;
    println!(
        "{} sessions, {} messages each, {bytes} bytes came back in {:.2} s",
        options.sessions,
        options.count,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn list(text: &str) -> Vec<usize> {
    text.split(',')
        .map(|item| item.parse().expect("a number"))
        .collect()
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mut word = || words.next().expect("another argument");
    let server: Option<SocketAddr> = match word().as_str() {
        "server" => None,
        "client" => Some(word().parse().expect("an address")),
        other => panic!("neither server nor client: {other}"),
    };
    let mut options = Options {
        protocol: word(),
        key: None,
        sessions: 1,
        count: 1,
        sizes: vec![64],
        channels: vec![0],
    };
    while let Some(name) = words.next() {
        let value = words.next().expect("a value");
        match name.as_str() {
            "--key" => {
                options.key = Some(
                    (0..value.len())
                        .step_by(2)
                        .map(|at| u8::from_str_radix(&value[at..at + 2], 16).expect("hex"))
                        .collect(),
                );
            }
            "--sessions" => options.sessions = value.parse().expect("a number"),
            "--count" => options.count = value.parse().expect("a number"),
            "--sizes" => options.sizes = list(&value),
            "--channels" => options.channels = list(&value.replace("unreliable", "4")),
            other => panic!("no option: {other}"),
        }
    }
    let outcome = match server {
        None => serve(&options),
        Some(server) => run_clients(&options, server),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
