// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "fuzz/damage.hpp"

// The host's side of the protocol without any process: the host is as in process/supervisor.hpp, and in the place of
// the workers a script of bytes writes into all that a worker can write. It may answer well, answer nonsense, scribble,
// die. libfuzzer_protocol.cpp plays scripts made with coverage, protocol.test.cpp those of a seeded generator.

namespace lk::parallel::testing {

/// Whether the bytes that a script scribbles may happen to be a frame with the right checksum: a generator that sees
/// the comparisons in the code can find one.
enum class forgery { possible, out_of_the_question };

/// Plays a script, then replaces all workers by honest ones, who must finish what is left.
/// Throws: std::logic_error where the host's side broke a promise; whatever else comes out of it is a broken promise.
/// Reading a byte outside of a worker's own channel ends the process by SIGSEGV.
void play_protocol(std::span<const std::byte> script, forgery seals);

/// Scripts of honest workers and of some that are not.
std::vector<message> protocol_samples();

} // namespace lk::parallel::testing
