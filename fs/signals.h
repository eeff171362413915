#pragma once

#include <sys/types.h>

#include <string_view>

// Which signals end a call that waits. The kernel interrupts a request of a FUSE filesystem for
// each signal that has a handler, and the call then fails with EINTR also where the program asked
// for it to be restarted (SA_RESTART). On a local disk no signal does that but one that ends the
// program. In between stands a person at the terminal who wants his program back.

namespace cabinetfs {

// Whether a signal waits for this thread that ends its program, or by which somebody asks it to end
// (INT, QUIT, TERM, HUP). True where it cannot be looked at.
bool is_ended_by_signal(pid_t thread);
// The same of what /proc/TID/status says.
bool tells_of_an_ending_signal(std::string_view status);

}  // namespace cabinetfs
