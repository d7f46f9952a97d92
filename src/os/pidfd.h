#pragma once

/// <sys/pidfd.h> of glibc 2.36 forgets to say that its functions are C.
#include <csignal>
#include <fcntl.h>
extern "C" {
#include <sys/pidfd.h>
}
