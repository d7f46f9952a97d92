#include "drivers/container/record.h"

#include "base/json.h"
#include "drivers/container/paths.h"

namespace skerry::drivers::container {

namespace {

constexpr std::int64_t version = 1;

Json write_process(os::ProcessId process) {
    Json json;
    json.set("pid", std::int64_t{process.pid});
    json.set("start", static_cast<std::int64_t>(process.start));
    return json;
}

Result<std::int64_t> number(const Json& json, std::string_view name, std::int64_t low, std::int64_t high) {
    const Json* found = json.find(name);
    const std::int64_t* value = found ? found->integer() : nullptr;
    if (!value || *value < low || *value > high)
        return fail(Code::corrupt, "container record: " + std::string(name) + " is missing or out of range");
    return *value;
}

Result<os::ProcessId> read_process(const Json& json) {
    auto pid = TRY(number(json, "pid", 1, INT32_MAX));
    auto start = TRY(number(json, "start", 0, INT64_MAX));
    return os::ProcessId{static_cast<pid_t>(pid), static_cast<std::uint64_t>(start)};
}

} // namespace

Handle write_record(const Record& record) {
    Json json;
    json.set("version", version);
    json.set("name", record.name);
    json.set("boot", record.boot);
    json.set("image", record.image);
    json.set("process", write_process(record.process));
    json.set("monitor", write_process(record.monitor));
    json.set("stopSignal", record.stop_signal);
    return write_json(json);
}

Result<Record> parse_record(std::string_view handle) {
    Json json = TRY(parse_json(handle, {.bytes = 64 << 10, .depth = 8}) | during("container record"));
    if (TRY(number(json, "version", 0, INT32_MAX)) != version)
        return fail(Code::unsupported, "container record: version is not " + std::to_string(version) +
                                           "; it was written by another version of skerry");
    Record record;
    record.name = json.text("name");
    TRY_VOID(check_name(record.name) | during("container record"));
    record.boot = json.text("boot");
    record.image = json.text("image");
    record.process = TRY(read_process(json.at({"process"})));
    record.monitor = TRY(read_process(json.at({"monitor"})));
    record.stop_signal = static_cast<int>(TRY(number(json, "stopSignal", 1, 64)));
    return record;
}

} // namespace skerry::drivers::container
