#include "cli/client/blob_upload.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace skerry::cli {

namespace {

std::string blob_path(const std::string& digest) { return "/blobs/v1/" + digest; }

std::optional<std::int64_t> count_in(const http::Response& response, std::string_view header) {
    auto text = response.headers.get(header);
    std::int64_t count = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || count < 0) return {};
    return count;
}

} // namespace

/// One request whose body is pushed from outside: the client asks for a piece, `append` runs the loop until it does.
struct BlobUpload::Sending {
    std::string digest;
    std::int64_t size = 0;
    std::int64_t skip = 0; ///< bytes still to leave out: they are there
    std::int64_t at = 0;   ///< bytes given or left out
    std::size_t limit = 0;
    std::function<void(Result<std::string>)> wanted; ///< set while the client waits for a piece
    bool done = false;
    Result<http::Response> answer = fail(Code::internal, "no answer");
    std::unique_ptr<http::Call> call;
};

BlobUpload::BlobUpload(Session& session, std::function<void(const Progress&)> progress)
    : session_(session), progress_(std::move(progress)) {}
BlobUpload::~BlobUpload() = default;

void BlobUpload::tell(Progress::Stage stage) {
    if (progress_) progress_({sending_->digest, sending_->at, sending_->size, stage});
}

Result<bool> BlobUpload::has(const std::string& digest) {
    http::Request request;
    request.method = "HEAD";
    request.path = blob_path(digest);
    http::Response response = TRY(session_.send(std::move(request)));
    if (response.status == 200) {
        if (progress_) {
            std::int64_t size = count_in(response, "X-Size").value_or(0);
            progress_({digest, size, size, Progress::Stage::present});
        }
        return true;
    }
    if (response.status != 404) return std::unexpected(refusal_in(response.status, response.body));
    resume_digest_ = digest;
    resume_at_ = count_in(response, "X-Have").value_or(0);
    return false;
}

Result<void> BlobUpload::begin(const std::string& digest, std::int64_t size, std::string_view) {
    sending_ = std::make_unique<Sending>();
    Sending& sending = *sending_;
    sending.digest = digest;
    sending.size = size;
    sending.skip = resume_digest_ == digest ? std::min(resume_at_, size) : 0;
    http::Request request;
    request.method = "PUT";
    request.path = blob_path(digest);
    request.query.add("size", std::to_string(size));
    request.query.add("at", std::to_string(sending.skip));
    request.headers.set("Content-Type", "application/octet-stream");
    request.headers.set("Content-Length", std::to_string(size - sending.skip));
    auto reader = [this, &sending](std::size_t limit, std::function<void(Result<std::string>)> take) {
        sending.limit = limit;
        sending.wanted = std::move(take);
        session_.loop().stop();
    };
    sending.call = session_.client().upload(std::move(request), reader, [this, &sending](Result<http::Response> answer) {
        sending.answer = std::move(answer);
        sending.done = true;
        session_.loop().stop();
    });
    tell(Progress::Stage::begun);
    return {};
}

/// An answer before the body's end is a refusal, or says that the rest need not come: then `done`.
Result<void> BlobUpload::wait_for_reader() {
    Sending& sending = *sending_;
    while (!sending.wanted && !sending.done) session_.loop().run();
    if (!sending.done) return {};
    if (!sending.answer) return std::unexpected(session_.located(sending.answer.error()));
    if (sending.answer->status == 201) return {}; // another client brought it while this one waited for its turn
    if (sending.answer->status < 300) return fail(Code::corrupt, "the server was content with a part of " + sending.digest);
    return std::unexpected(refusal_in(sending.answer->status, sending.answer->body));
}

Result<void> BlobUpload::append(std::string_view bytes) {
    Sending& sending = *sending_;
    auto left_out = static_cast<std::size_t>(std::min<std::int64_t>(sending.skip, static_cast<std::int64_t>(bytes.size())));
    sending.skip -= static_cast<std::int64_t>(left_out);
    sending.at += static_cast<std::int64_t>(left_out);
    bytes.remove_prefix(left_out);
    while (!bytes.empty()) {
        TRY_VOID(wait_for_reader());
        if (sending.done) {
            sending.at += static_cast<std::int64_t>(bytes.size());
            return {};
        }
        std::size_t n = std::min(bytes.size(), sending.limit);
        auto take = std::exchange(sending.wanted, {});
        sending.at += static_cast<std::int64_t>(n);
        sent_ += static_cast<std::int64_t>(n);
        take(std::string(bytes.substr(0, n)));
        bytes.remove_prefix(n);
        tell(Progress::Stage::moving);
    }
    return {};
}

Result<void> BlobUpload::finish(const std::string& digest) {
    auto outcome = end_body(digest);
    tell(outcome ? Progress::Stage::finished : Progress::Stage::broken);
    sending_.reset();
    return outcome;
}

Result<void> BlobUpload::end_body(const std::string& digest) {
    Sending& sending = *sending_;
    if (auto ready = wait_for_reader(); ready) {
        if (!sending.done) std::exchange(sending.wanted, {})(std::string());
        session_.run_until(sending.done);
    } else if (!sending.answer || sending.answer->status >= 300 || sending.at != sending.size) {
        // Otherwise a whole body was answered before the client asked for its end.
        return ready;
    }
    if (!sending.answer) return std::unexpected(session_.located(sending.answer.error()));
    int status = sending.answer->status;
    if (status == 201) return {};
    if (status < 300) return fail(Code::unavailable, "the server did not get all of " + digest);
    return std::unexpected(refusal_in(status, sending.answer->body));
}

void BlobUpload::abandon(const std::string&) {
    if (!sending_) return;
    tell(Progress::Stage::broken);
    sending_.reset();
}

} // namespace skerry::cli
