#include "seeds.h"

#include "base/check.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace skerry::fuzz {

void start_from(const std::vector<std::string>& seeds, int* count, char*** arguments) {
    namespace fs = std::filesystem;
    for (int i = 1; i < *count; ++i)
        if ((*arguments)[i][0] != '-' || std::string_view((*arguments)[i]).starts_with("-seed_inputs=")) return;
    fs::path folder = fs::read_symlink("/proc/self/exe").string() + ".seeds";
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::string list;
    for (std::size_t i = 0; i < seeds.size(); ++i) {
        fs::path file = folder / std::to_string(i);
        std::ofstream(file, std::ios::binary) << seeds[i];
        list += (i > 0 ? "," : "") + file.string();
    }
    std::ofstream(folder / "list", std::ios::binary) << list;
    // They live as long as the process, as argv does.
    static std::string option;
    static std::vector<char*> all;
    option = "-seed_inputs=@" + (folder / "list").string();
    all.assign(*arguments, *arguments + *count);
    all.push_back(option.data());
    all.push_back(nullptr);
    *arguments = all.data();
    ++*count;
}

std::string written(std::string_view text) {
    CHECK(text.size() < 65536);
    std::string out{static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 255)};
    return out.append(text);
}

} // namespace skerry::fuzz
