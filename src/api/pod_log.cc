#include "api/pod_log.h"

#include "api/status.h"
#include "base/log.h"
#include "base/number.h"
#include "model/instance.pb.h"

namespace skerry::api {

namespace {

Result<std::int64_t> parse_count(const http::Query& query, std::string_view name) {
    auto text = query.find(name);
    if (!text) return -1;
    auto count = parse_number<std::int64_t>(*text);
    if (!count || *count < 0)
        return fail(Code::invalid, std::string(name) + ": \"" + std::string(text->substr(0, 40)) + "\" is not a count (try 100)");
    return *count;
}

bool parse_flag(const http::Query& query, std::string_view name) { return query.get(name) == "true" || query.get(name) == "1"; }

Result<LogSource::Wanted> parse_wanted(const store::Object& object, const http::Query& query) {
    auto& spec = store::as<model::Instance>(object).spec();
    if (auto container = query.get("container"); !container.empty() && container != spec.component())
        return fail(Code::invalid, "container: \"" + std::string(container.substr(0, 80)) + "\" is not in " + object.key.name +
                                       ", which has only " + spec.component());
    for (std::string_view unknown : {"sinceSeconds", "sinceTime"})
        if (query.has(unknown)) return fail(Code::invalid, std::string(unknown) + ": not offered; try tailLines");
    LogSource::Wanted wanted{.site = spec.site(),
                             .node = spec.node(),
                             .instance = object.key.project + "/" + object.key.name,
                             .uid = object.uid.text()};
    wanted.follow = parse_flag(query, "follow");
    wanted.window.timestamps = parse_flag(query, "timestamps");
    wanted.window.previous = parse_flag(query, "previous");
    wanted.window.tail = TRY(parse_count(query, "tailLines"));
    wanted.window.limit_bytes = TRY(parse_count(query, "limitBytes"));
    return wanted;
}

/// One log on its way to one client. The flow keeps it, and it the flow, until either end is done.
struct Transfer : std::enable_shared_from_this<Transfer> {
    Resource resource;
    std::shared_ptr<http::Responder> responder;
    std::shared_ptr<http::BodyStream> stream;
    std::unique_ptr<LogFlow> flow;
    std::unique_ptr<Permit> permit;
    bool paused = false, over = false;

    /// The client may leave before the first byte, which a quiet instance's log may never have.
    void watch_client() {
        responder->on_closed([weak = weak_from_this()] {
            if (auto self = weak.lock()) self->leave();
        });
    }

    /// What reads the log goes; it kept this.
    void leave() {
        over = true;
        auto gone = std::move(flow);
        auto asked = std::move(permit);
    }

    void begin_stream() {
        if (stream) return;
        stream = responder->stream(200, {{"Content-Type", "text/plain; charset=utf-8"}});
        stream->on_closed([weak = weak_from_this()] {
            if (auto self = weak.lock()) self->leave();
        });
        stream->on_drained([weak = weak_from_this()] {
            if (auto self = weak.lock(); self && self->paused && self->flow) {
                self->paused = false;
                self->flow->pause(false);
            }
        });
    }

    void bytes(std::string piece) {
        if (over) return;
        begin_stream();
        stream->write(std::move(piece));
        if (!paused && flow && stream->unsent() > http::BodyStream::high_mark) {
            paused = true;
            flow->pause(true);
        }
    }

    void end(Result<void> outcome) {
        if (over) return;
        auto self = shared_from_this();
        if (!outcome && !stream) {
            responder->respond(refusal(outcome.error(), &resource));
            return leave();
        }
        begin_stream();
        // Dropped without its end, so that the client sees a log that broke off, and none that is complete.
        if (outcome)
            stream->end();
        else
            log(Level::info, "api", "the log of {} broke off: {}", resource.name, outcome.error().message);
        leave();
    }
};

} // namespace

void serve_log(env::Timers& timers, const store::Store& store, LogSource& logs, const Resource& resource,
               const http::Request& request, const std::shared_ptr<http::Responder>& responder, Permit::Check allowed) {
    store::ObjectPtr object = store.get(resource.key());
    if (!object)
        return responder->respond(refusal(
            {Code::not_found, std::string(facts(resource.view, resource.kind).plural) + " \"" + resource.name + "\" not found"},
            &resource));
    auto wanted = parse_wanted(*object, request.query);
    if (!wanted) return responder->respond(refusal(wanted.error(), &resource));
    auto transfer = std::make_shared<Transfer>();
    transfer->resource = resource;
    transfer->responder = responder;
    transfer->watch_client();
    auto flow = logs.open(std::move(*wanted), {.bytes = [transfer](std::string piece) { transfer->bytes(std::move(piece)); },
                                               .end = [transfer](Result<void> outcome) { transfer->end(std::move(outcome)); }});
    if (transfer->over) return;
    transfer->flow = std::move(flow);
    // Nothing more comes of one that is gone.
    auto still = [&store, key = object->key, uid = object->uid, allowed = std::move(allowed)]() -> Result<void> {
        auto now = store.get(key);
        if (!now || now->uid != uid) return fail(Code::gone, "the instance is gone");
        return allowed();
    };
    transfer->permit = std::make_unique<Permit>(timers, std::move(still), [weak = std::weak_ptr(transfer)](const Error& error) {
        if (auto self = weak.lock()) self->end(error.code == Code::gone ? Result<void>() : std::unexpected(error));
    });
}

} // namespace skerry::api
