#pragma once

#include <list>

namespace skerry {

/// First in, first out, and no memory while it is empty: for what there are thousands of and what is mostly empty. (libstdc++'s
/// std::deque takes 600 bytes at once; a link has two dozen queues.)
template<class T>
using Queue = std::list<T>;

} // namespace skerry
