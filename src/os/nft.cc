#include "os/nft.h"

#include "os/process.h"

namespace skerry::os {
namespace {

Result<Finished> run_nft(Command command) {
    auto finished = run(command);
    if (!finished && finished.error().code == Code::not_found)
        return fail(Code::unsupported, "nft: no such program on this machine (apt-get install nftables)");
    return finished;
}

std::string first_line(const std::string& text) {
    std::string line = text.substr(0, text.find('\n'));
    return line.substr(0, 500);
}

} // namespace

Result<void> apply_nft(const std::string& ruleset) {
    Finished finished = TRY(run_nft({.argv = {"nft", "-f", "-"}, .input = ruleset}));
    if (finished.good()) return {};
    Code code = finished.errors.find("Operation not permitted") != std::string::npos ? Code::forbidden
                : finished.errors.find("not supported") != std::string::npos         ? Code::unsupported
                : finished.errors.find("No such file") != std::string::npos          ? Code::not_found
                                                                                     : Code::internal;
    return fail(code, "nft: " + first_line(finished.errors));
}

Result<Json::Array> list_nft(std::vector<std::string> what) {
    Command command{.argv = {"nft", "-j", "-a", "list"}, .output_limit = 32 << 20};
    command.argv.insert(command.argv.end(), what.begin(), what.end());
    Finished finished = TRY(run_nft(command));
    if (!finished.good()) {
        bool absent = finished.errors.find("No such file") != std::string::npos;
        return fail(absent ? Code::not_found : Code::internal, "nft list: " + first_line(finished.errors));
    }
    if (finished.cut) return fail(Code::exhausted, "nft list: more than 32 MiB of rules");
    Json parsed = TRY(parse_json(finished.output, {.bytes = 32 << 20, .depth = 128, .values = 4'000'000}) | during("nft list"));
    Json* items = parsed.find("nftables");
    if (!items || !items->array_items()) return fail(Code::internal, "nft list: output without \"nftables\"");
    return std::move(*items->array_items());
}

} // namespace skerry::os
