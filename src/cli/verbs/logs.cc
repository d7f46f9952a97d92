#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/client/watching.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"
#include "model/rules/problems.h"

#include <charconv>
#include <cstdio>

namespace skerry::cli {

namespace {

constexpr std::size_t most_at_once = 64;

/// The instances that NAME means: one by its name, or all of an app.
Result<std::vector<Target>> instances_of(Session& session, const Invocation& call) {
    const model::KindFacts& instance_kind = model::facts(model::Kind::instance);
    std::string word = call.arguments[0];
    std::size_t slash = word.find('/');
    const model::KindFacts* kind = slash == std::string::npos ? nullptr : TRY(find_kind(word.substr(0, slash)));
    std::string name = slash == std::string::npos ? word : word.substr(slash + 1);
    if (kind && kind->kind != model::Kind::instance && kind->kind != model::Kind::app)
        return fail(Code::invalid, word + ": only instances and apps have logs (try instance/NAME or app/NAME)");
    TRY(parse_targets(std::vector<std::string>{"instance/" + name}, session.project()));
    if (!kind || kind->kind == model::Kind::instance) {
        Target target{&instance_kind, session.project(), name};
        http::Request request;
        request.path = target.path();
        auto found = session.ask(std::move(request));
        if (found) return std::vector<Target>{target};
        if (found.error().code != Code::not_found || kind) return std::unexpected(found.error());
    }
    std::string fields = "spec.app=" + name;
    if (call.has("component")) fields += ",spec.component=" + call.get("component");
    if (call.has("site")) fields += ",spec.site=" + call.get("site");
    Json list =
        TRY(list_all(session, instance_kind, {.project = session.project(), .label_selector = {}, .field_selector = fields}));
    std::vector<Target> targets;
    for (const Json& each : items_of(list))
        targets.push_back({&instance_kind, session.project(), std::string(metadata_text(each, "name"))});
    if (targets.empty())
        return fail(Code::not_found, "there is no instance, and no app with instances, called " + model::quoted(name) +
                                         " in project " + session.project() + " (see skerry get apps,instances)");
    if (targets.size() > most_at_once)
        return fail(Code::exhausted, "app/" + name + " has " + std::to_string(targets.size()) +
                                         " instances; narrow it down with --site or --component, or name an instance");
    return targets;
}

/// Lines of one instance among others.
class Prefixed {
public:
    Prefixed(std::string name, Paint paint) : prefix_(painted(paint, "[" + printable(name) + "] ")) {}
    void add(std::string_view piece) {
        begun_ += piece;
        std::size_t at = 0;
        for (std::size_t end; (end = begun_.find('\n', at)) != std::string::npos; at = end + 1)
            print(std::string_view(begun_).substr(at, end - at));
        begun_.erase(0, at);
        if (begun_.size() > (1 << 20)) flush();
        flush_output();
    }
    void flush() {
        if (!begun_.empty()) print(begun_);
        begun_.clear();
    }

private:
    void print(std::string_view line) const {
        std::printf("%s%.*s\n", prefix_.c_str(), static_cast<int>(line.size()), line.data());
    }
    std::string prefix_, begun_;
};

http::Request log_request(const Target& target, const Invocation& call) {
    http::Request request;
    request.path = target.path() + "/log";
    if (call.has("follow")) request.query.add("follow", "true");
    if (call.has("timestamps")) request.query.add("timestamps", "true");
    if (call.has("previous")) request.query.add("previous", "true");
    if (call.has("tail") && call.get("tail") != "-1") request.query.add("tailLines", call.get("tail"));
    return request;
}

Result<int> print_logs(Session& session, const Invocation& call) {
    auto targets = TRY(instances_of(session, call));
    if (targets.size() == 1 && !call.has("prefix")) {
        TRY_VOID(session.stream(log_request(targets[0], call), [](std::string piece) {
            std::fwrite(piece.data(), 1, piece.size(), stdout);
            flush_output();
        }));
        return 0;
    }
    constexpr Paint paints[] = {Paint::green, Paint::yellow, Paint::bold, Paint::dim};
    std::vector<Prefixed> printers;
    for (auto& target : targets) printers.emplace_back(target.name, paints[printers.size() % std::size(paints)]);
    int status = 0;
    std::vector<Session::Flow> flows;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        auto& printer = printers[i];
        flows.push_back({log_request(targets[i], call), [&printer](std::string piece) { printer.add(piece); },
                         [&printer, &status, &target = targets[i]](Result<void> end) {
                             printer.flush();
                             if (!end) status = report({end.error().code, target.title() + ": " + end.error().message});
                         }});
    }
    TRY_VOID(session.stream_all(std::move(flows)));
    return status;
}

} // namespace

Command logs_command() {
    return {.name = "logs",
            .summary = "Print what instances wrote",
            .details = "NAME is an instance, or an app, whose instances are shown together, each line behind its instance's "
                       "name. Works for any site below the server.",
            .examples = {"skerry logs till -f", "skerry logs app/till --site store-17 --tail 20",
                         "skerry logs instance/till-pos-store-17-0 --previous"},
            .arguments = {{.name = "NAME",
                           .help = "instance or app; instance/NAME or app/NAME says which",
                           .suggest = suggest_names(model::Kind::instance)}},
            .options = with_connection(
                {{.names = "-f,--follow", .value = "", .help = "go on with what comes"},
                 {.names = "--tail", .value = "N", .help = "only the last N lines"},
                 {.names = "--timestamps", .value = "", .help = "each line behind its time"},
                 {.names = "-p,--previous", .value = "", .help = "of the run before the last restart"},
                 {.names = "--prefix", .value = "", .help = "the instance's name before each line, also of a single one"},
                 {.names = "--site",
                  .value = "NAME",
                  .help = "of an app: only at this site",
                  .suggest = suggest_names(model::Kind::site)},
                 {.names = "-c,--component", .value = "NAME", .help = "of an app: only this component"}}),
            .run =
                [](const Invocation& call) {
                    if (call.has("tail")) {
                        std::string text = call.get("tail");
                        std::int64_t count = 0;
                        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
                        if (error != std::errc() || end != text.data() + text.size() || count < -1)
                            return misused("logs", "--tail: \"" + text + "\" is not a count (try 100)");
                    }
                    return with_session(call, [&](Session& session) { return print_logs(session, call); });
                },
            .group = apps_group};
}

} // namespace skerry::cli
