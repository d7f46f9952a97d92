#include "main/machine/memory.h"

#include <cstdint>
#include <link.h>
#include <malloc.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace skerry::main {

namespace {

/// Segments that nobody writes hold what their file holds, so dropping their pages changes nothing (madvise(2), MADV_DONTNEED).
/// Relocated constants are in writable segments (ELF calls them RELRO) and stay.
int drop_file_pages(dl_phdr_info* object, std::size_t, void*) {
    if (std::string_view(object->dlpi_name).starts_with("linux-vdso")) return 0;
    auto page = static_cast<std::uintptr_t>(::getpagesize());
    for (int n = 0; n < object->dlpi_phnum; ++n) {
        const auto& segment = object->dlpi_phdr[n];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
        std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
        std::uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz + page - 1) & ~(page - 1);
        // Failing costs nothing but the memory.
        (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
    return 0;
}

} // namespace

void keep_memory_small() { ::mallopt(M_ARENA_MAX, 1); }

void give_back_memory() {
    ::malloc_trim(0);
    ::dl_iterate_phdr(drop_file_pages, nullptr);
}

} // namespace skerry::main
