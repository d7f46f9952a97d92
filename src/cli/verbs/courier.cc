#include "base/number.h"
#include "base/units.h"
#include "cli/client/client.h"
#include "cli/client/targets.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"
#include "link/courier_file.h"
#include "model/text/yaml.h"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace skerry::cli {

namespace {

constexpr const char* usual_size = "3Gi"; // a stick with FAT has no file beyond 4 GiB

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePtr = std::unique_ptr<std::FILE, CloseFile>;

/// How far a long file is, on a terminal, drawn over; in a pipe nothing.
class Moved {
public:
    Moved(const env::Clock& clock, const char* verb, std::uint64_t total, bool quiet)
        : clock_(clock), verb_(verb), total_(total), shown_(!quiet && errors_on_terminal()) {}
    ~Moved() {
        if (drawn_) std::fputs("\r\033[K", stderr);
    }
    void to(std::uint64_t bytes) {
        if (!shown_ || (drawn_ && clock_.now() - *drawn_ < 100ms)) return;
        drawn_ = clock_.now();
        std::fprintf(stderr, "\r\033[K%s  %3d%%  %s of %s", verb_,
                     static_cast<int>(total_ ? static_cast<double>(bytes) * 100 / static_cast<double>(total_) : 100),
                     rounded(Bytes{static_cast<std::int64_t>(bytes)}).c_str(),
                     rounded(Bytes{static_cast<std::int64_t>(total_)}).c_str());
        std::fflush(stderr);
    }

private:
    const env::Clock& clock_;
    const char* verb_;
    std::uint64_t total_;
    bool shown_;
    std::optional<Instant> drawn_;
};

std::int64_t number_at(const Json& json, std::string_view field) {
    return parse_number<std::int64_t>(json.text(field)).value_or(0);
}

std::string size_at(const Json& json, std::string_view field) { return rounded(Bytes{number_at(json, field)}); }

void print_left_out(const Json& json) {
    const Json* list = json.find("leftOut");
    if (!list || !list->array_items() || list->array_items()->empty()) return;
    std::puts("Images that are not in it (the site runs on with those it has):");
    for (const Json& image : *list->array_items())
        if (image.string()) std::printf("  %s\n", printable(*image.string()).c_str());
}

/// -o json or yaml; false: as text.
bool print_as(const Invocation& call, const Json& json) {
    if (call.get("output") == "json")
        std::puts(write_json(json, Layout::indented).c_str());
    else if (call.get("output") == "yaml")
        std::fputs(model::write_yaml(json).c_str(), stdout);
    else
        return false;
    return true;
}

Option output_option() {
    return {.names = "-o,--output", .value = "FORMAT", .help = "text, json or yaml", .choices = {"text", "json", "yaml"}};
}

/// Receives the file under another name, so that one of this name is always whole.
class Receiver {
public:
    explicit Receiver(std::string path) : path_(std::move(path)), part_(path_ + ".part") {}
    ~Receiver() {
        if (is_begun_) ::unlink(part_.c_str()); // it is not to be had any more
    }
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    Result<void> open() {
        file_.reset(std::fopen(part_.c_str(), "wb"));
        if (!file_) return fail_errno("write " + part_);
        is_begun_ = true;
        return {};
    }
    Result<void> write(std::string_view bytes) {
        if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) return fail_errno("write " + part_);
        return {};
    }
    Result<void> close() {
        if (std::fflush(file_.get()) != 0 || ::fsync(fileno(file_.get())) != 0) return fail_errno("write " + part_);
        file_.reset();
        if (std::rename(part_.c_str(), path_.c_str()) != 0) return fail_errno("rename " + part_ + " to " + path_);
        is_begun_ = false;
        std::size_t slash = path_.rfind('/');
        std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
        int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return {};
        ::fsync(fd);
        ::close(fd);
        return {};
    }

private:
    std::string path_, part_;
    FilePtr file_;
    bool is_begun_ = false; ///< and not renamed yet
};

Result<int> pack(Session& session, const Invocation& call) {
    bool parent = call.has("parent");
    if (parent == call.has("site")) return misused("courier pack", "give one of --site NAME and --parent");
    if (call.get("out").empty()) return misused("courier pack", "--out FILE is needed");
    std::string size = call.has("max-size") ? call.get("max-size") : usual_size;
    if (auto parsed = parse_bytes(size); !parsed) return misused("courier pack", "--max-size: " + parsed.error().message);
    Json wish = Json::object({{"maxSize", size}, {"everything", call.has("full") ? "true" : "false"}});
    if (parent)
        wish.set("parent", "true");
    else
        wish.set("site", call.get("site"));
    http::Request request;
    request.method = "POST";
    request.path = "/courier/v1/pack";
    request.headers.set("Content-Type", "application/json");
    request.body = write_json(wish);

    Receiver receiver(call.get("out"));
    std::string refused;
    int status = 0;
    Json told;
    std::uint64_t came = 0;
    std::optional<Moved> moved;
    Result<void> written, ended;
    bool done = false;
    http::ResponseSink sink;
    sink.head = [&](const http::Response& head) {
        status = head.status;
        if (status >= 300) return;
        told = parse_json(head.headers.get("X-Courier"), {.bytes = 64 << 10, .depth = 4, .values = 256}).value_or(Json::object());
        moved.emplace(session.clock(), "packing", static_cast<std::uint64_t>(number_at(told, "size")), call.has("quiet"));
        written = receiver.open();
    };
    sink.piece = [&](std::string piece) {
        if (status >= 300) {
            if (refused.size() < (64 << 10)) refused += piece;
            return;
        }
        if (written) written = receiver.write(piece);
        came += piece.size();
        moved->to(came);
        if (!written) session.loop().stop();
    };
    sink.end = [&](Result<void> end) {
        ended = std::move(end);
        done = true;
        session.loop().stop();
    };
    auto running = session.client().stream(std::move(request), std::move(sink));
    bool stopped = false;
    auto token = session.loop().on_signal({SIGINT, SIGTERM}, [&](int) {
        stopped = true;
        session.loop().stop();
    });
    while (!done && !stopped && written) session.loop().run();
    moved.reset();
    if (stopped && !done) return fail(Code::cancelled, "interrupted");
    TRY_VOID(written);
    if (!ended) return std::unexpected(session.located(ended.error()));
    if (status >= 300) return std::unexpected(session.located(refusal_in(status, refused)));
    if (came != static_cast<std::uint64_t>(number_at(told, "size")))
        return fail(Code::corrupt, "the file came cut short; pack it again");
    TRY_VOID(receiver.close());
    if (print_as(call, told)) return 0;
    std::printf("%s for %s: %s, %s objects, %s reports, %s images; %s\n", printable(call.get("out")).c_str(),
                printable(told.text("to")).c_str(), size_at(told, "size").c_str(), printable(told.text("objects")).c_str(),
                printable(told.text("reports")).c_str(), printable(told.text("images")).c_str(),
                told.text("base").empty() ? "everything" : ("what changed after " + printable(told.text("base"))).c_str());
    print_left_out(told);
    return 0;
}

Result<FilePtr> open_file(const std::string& path, std::uint64_t& size) {
    FilePtr file(std::fopen(path.c_str(), "rb"));
    if (!file) return fail_errno("read " + path);
    struct stat about {};
    if (::fstat(fileno(file.get()), &about) != 0) return fail_errno("read " + path);
    if (!S_ISREG(about.st_mode)) return fail(Code::invalid, path + " is no file");
    size = static_cast<std::uint64_t>(about.st_size);
    return file;
}

Result<int> apply(Session& session, const Invocation& call) {
    const std::string& path = call.arguments[0];
    std::uint64_t size = 0, sent = 0;
    FilePtr file = TRY(open_file(path, size));
    http::Request request;
    request.method = "POST";
    request.path = "/courier/v1/apply";
    if (call.has("dry-run")) request.query.add("dryRun", "true");
    request.headers.set("Content-Type", "application/octet-stream");
    request.headers.set("Content-Length", std::to_string(size));
    Moved moved(session.clock(), call.has("dry-run") ? "reading" : "applying", size, call.has("quiet"));
    bool done = false;
    Result<http::Response> answer = fail(Code::internal, "no answer");
    auto reader = [&](std::size_t limit, std::function<void(Result<std::string>)> take) {
        std::string piece(std::min<std::size_t>(limit, 64 << 10), '\0');
        piece.resize(std::fread(piece.data(), 1, piece.size(), file.get()));
        if (std::ferror(file.get())) return take(fail_errno("read " + path));
        sent += piece.size();
        moved.to(sent);
        take(std::move(piece));
    };
    auto running = session.client().upload(std::move(request), reader, [&](Result<http::Response> response) {
        answer = std::move(response);
        done = true;
        session.loop().stop();
    });
    TRY_VOID(session.run_until_interrupted(done));
    if (!answer) return std::unexpected(session.located(answer.error()));
    if (answer->status >= 300) return std::unexpected(session.located(refusal_in(answer->status, answer->body)));
    Json told = TRY(parse_json(answer->body, {.bytes = 4 << 20, .depth = 4, .values = 10'000}));
    if (print_as(call, told)) return 0;
    std::printf("%s from %s, made %s: %s\n", printable(path).c_str(), printable(told.text("from")).c_str(),
                printable(told.text("made")).c_str(), printable(told.text("message")).c_str());
    if (number_at(told, "blobs") > 0)
        std::printf("  %s blobs of images%s\n", printable(told.text("blobs")).c_str(),
                    call.has("dry-run") ? " in it" : (", " + size_at(told, "blobBytes") + " of them new").c_str());
    print_left_out(told);
    return 0;
}

Result<int> show(const Invocation& call) {
    std::uint64_t size = 0;
    FilePtr file = TRY(open_file(call.arguments[0], size));
    std::string beginning(link::max_courier_beginning, '\0');
    beginning.resize(std::fread(beginning.data(), 1, beginning.size(), file.get()));
    auto header = TRY(link::read_courier_header(beginning));
    Json json = Json::object({{"from", header.from.title()},
                              {"to", header.to.title()},
                              {"made", rfc3339(header.made)},
                              {"version", header.version},
                              {"base", header.base ? std::to_string(*header.base) : ""},
                              {"until", std::to_string(header.until)},
                              {"size", std::to_string(size)},
                              {"content", std::to_string(header.bytes)},
                              {"receiverKey", header.receiver_key},
                              {"id", header.id.text()}});
    if (print_as(call, json)) return 0;
    std::printf(
        "From     %s\nTo       %s\nMade     %s (by its sender's clock)\nVersion  %s\nBase     %s\nUntil    %s\nSize     %s\n"
        "Sealed to key %s\nNothing of this is verified before it is applied; what is in it only its receiver can read.\n",
        printable(json.text("from")).c_str(), printable(json.text("to")).c_str(), printable(json.text("made")).c_str(),
        printable(json.text("version")).c_str(), header.base ? printable(json.text("base")).c_str() : "none (everything)",
        printable(json.text("until")).c_str(), size_at(json, "size").c_str(), printable(json.text("receiverKey")).c_str());
    return 0;
}

} // namespace

Command courier_pack_command() {
    return {
        .name = "courier pack",
        .summary = "Write what a site, or the parent, should know into a file that people carry",
        .details =
            "For a site without any link. Asked of its parent with --site: wishes that changed since the site last said "
            "what it has, and images that these need. Asked of the site with --parent: its reports, its own apps, and what it "
            "has, so that the next file begins there. A file is sealed to its receiver and signed by its sender; it never "
            "carries leases, so work with policy atMostOnce waits for a link. Packing again begins anew; FILE is replaced "
            "when the new one is whole.",
        .examples = {"skerry courier pack --site vessel-7 --out /media/stick/vessel-7.courier",
                     "skerry courier pack --parent --out /media/stick/back.courier"},
        .arguments = {},
        .options = with_connection(
            {{.names = "--site", .value = "NAME", .help = "for this site", .suggest = suggest_names(model::Kind::site)},
             {.names = "--parent", .value = "", .help = "for the parent of the site that is asked"},
             {.names = "--out", .value = "FILE", .help = "where to write it"},
             {.names = "--max-size",
              .value = "BYTES",
              .help = std::string("images beyond this are left out, and named; 3Gi where it is not given, so that the file fits "
                                  "a stick with FAT")},
             {.names = "--full", .value = "", .help = "everything, for a receiver whose disk was lost or went back"},
             output_option(),
             {.names = "-q,--quiet", .value = "", .help = "no progress"}}),
        .run = [](const Invocation& call) { return with_session(call, [&](Session& session) { return pack(session, call); }); },
        .group = access_group};
}

Command courier_apply_command() {
    return {
        .name = "courier apply",
        .summary = "Take what a courier file brings",
        .details =
            "Asked of the cell that the file is for. A file that was applied, or is older than what is here, changes nothing; "
            "one that was interrupted is applied again and goes on. Refused, with the reason: a file for another cell, a "
            "damaged one, one whose base is beyond what is here.",
        .examples = {"skerry courier apply /media/stick/vessel-7.courier --dry-run",
                     "skerry courier apply /media/stick/vessel-7.courier"},
        .arguments = {{.name = "FILE", .help = "as `skerry courier pack` wrote it"}},
        .options = with_connection({{.names = "--dry-run", .value = "", .help = "check all of it, and say what would change"},
                                    output_option(),
                                    {.names = "-q,--quiet", .value = "", .help = "no progress"}}),
        .run = [](const Invocation& call) { return with_session(call, [&](Session& session) { return apply(session, call); }); },
        .group = access_group};
}

Command courier_show_command() {
    return {.name = "courier show",
            .summary = "Show from whom to whom a courier file is, and on what it builds",
            .details =
                "Reads the part that is not sealed; needs no server. A file applies where BASE is not beyond what is there, and "
                "brings it up to UNTIL.",
            .examples = {"skerry courier show vessel-7.courier", "skerry courier show vessel-7.courier -o json"},
            .arguments = {{.name = "FILE", .help = "as `skerry courier pack` wrote it"}},
            .options = with_connection({output_option()}),
            .run =
                [](const Invocation& call) {
                    auto shown = show(call);
                    return shown ? *shown : report(shown.error());
                },
            .group = access_group};
}

} // namespace skerry::cli
