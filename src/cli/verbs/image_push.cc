#include "base/units.h"
#include "cli/client/blob_upload.h"
#include "cli/client/client.h"
#include "cli/client/image_tags.h"
#include "cli/line/progress.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

namespace {

constexpr int tries_to_push = 5;

bool is_passing(const Error& error) { return error.code == Code::unavailable || error.code == Code::timeout; }

/// Sends what is missing; goes on after a broken connection, except out of a pipe, which cannot be read twice.
Result<oci::ReadImage> send(Session& session, BlobUpload& upload, const std::string& source, const oci::ReadOptions& options) {
    Duration wait = 500ms;
    for (int attempt = 1;; ++attempt) {
        std::int64_t before = upload.sent();
        auto read = oci::read_image(source, upload, options);
        if (read || !is_passing(read.error()) || source == "-") return read;
        // As long as bytes get through, it gets on.
        if (upload.sent() > before) attempt = 1, wait = 500ms;
        if (attempt >= tries_to_push) return read;
        std::fprintf(stderr, "skerry: %s; going on in %s\n", read.error().message.c_str(), text(wait).c_str());
        TRY_VOID(session.pause(wait));
        wait *= 2;
    }
}

std::vector<std::string> platforms_of(const oci::ReadImage& image) {
    std::vector<std::string> platforms;
    for (auto& each : image.platforms) platforms.push_back(oci::text(each.platform));
    return platforms;
}

Result<int> push(Session& session, const Invocation& call) {
    auto reference = model::parse_image(call.arguments[1], session.project());
    if (!reference) return misused("image push", reference.error().message);
    if (!reference->digest.empty()) return misused("image push", "NAME: give a tag; the digest follows from the bytes");
    bool quiet = call.has("quiet");
    UploadLines lines(session.clock(), errors_on_terminal());
    BlobUpload upload(session, [&](const BlobUpload::Progress& progress) {
        if (!quiet) lines.tell(progress);
    });
    oci::ReadImage image = TRY(send(session, upload, call.arguments[0], {.reference = call.get("reference")}));
    TagFacts facts{.digest = image.digest,
                   .size = std::to_string(image.total_size),
                   .platforms = platforms_of(image),
                   .pushed = rfc3339(session.clock().wall())};
    std::string before = TRY(tag_image(session, *reference, facts));
    std::printf("%s %s: %s, %s sent\n", reference->text().c_str(), image.digest.c_str(), rounded(Bytes{image.total_size}).c_str(),
                rounded(Bytes{upload.sent()}).c_str());
    if (before.empty() || before == image.digest) return 0;
    auto behind = apps_behind(session, *reference, image.digest);
    if (behind.empty()) return 0;
    std::printf("These still run other bytes of %s (it was %s):\n", reference->text().c_str(), short_digest(before).c_str());
    for (auto& app : behind) std::printf("  %s\n", printable(app).c_str());
    std::printf("A running app keeps its bytes until its App changes: apply it with a new tag, or with %s/%s@%s\n",
                reference->project.c_str(), reference->name.c_str(), image.digest.c_str());
    return 0;
}

} // namespace

Command image_push_command() {
    return {
        .name = "image push",
        .summary = "Send an image, and give it a name and a tag",
        .details = "Takes an OCI image layout (a folder), an OCI archive or what `docker save` and `podman save` write, plain or "
                   "compressed; - is standard input. "
                   "Blobs that are there are not sent again; a push that was broken off goes on where it stopped. NAME is "
                   "[project/]name[:tag].",
        .examples = {"skerry image push ./build/pos retail/pos:4.2", "docker save pos:4.2 | skerry image push - retail/pos:4.2"},
        .arguments = {{.name = "DIR|TAR|-", .help = "where the image is"},
                      {.name = "NAME", .help = "[project/]name[:tag]; latest where no tag is given", .suggest = {}}},
        .options =
            with_connection({{.names = "--reference", .value = "NAME", .help = "which image of an archive that holds several"},
                             {.names = "-q,--quiet", .value = "", .help = "no progress"}}),
        .run = [](const Invocation& call) { return with_session(call, [&](Session& session) { return push(session, call); }); },
        .group = apps_group};
}

} // namespace skerry::cli
