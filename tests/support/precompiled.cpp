// SPDX-License-Identifier: MIT
// Nothing: CMake wants a source where the tests' precompiled header is made.
