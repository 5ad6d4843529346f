// SPDX-License-Identifier: MIT
// What the shared libraries show. They are compiled with hidden visibility.
#pragma once

// A class is MUSTER_API if it has virtual functions or members that lib/ defines, a function if
// lib/ defines it. What a class only declares (`class Impl;`) is MUSTER_LOCAL where lib/ defines
// it.
//
// It is the same for those who build the library and those who use it, static or shared, so no
// header has to be generated. With Visual C++ and MinGW it is nothing: there CMake has all symbols
// exported (WINDOWS_EXPORT_ALL_SYMBOLS), and functions need no import declaration.
#if defined(__GNUC__) && !defined(_WIN32)
#define MUSTER_API [[gnu::visibility("default")]]
#define MUSTER_LOCAL [[gnu::visibility("hidden")]]
#else
#define MUSTER_API
#define MUSTER_LOCAL
#endif
