#include "cli/line/progress.h"

#include "base/units.h"

namespace skerry::cli {

namespace {

constexpr int bar_width = 24;
constexpr Duration redraw_period = 100ms;

} // namespace

std::string short_digest(std::string_view digest) {
    std::size_t colon = digest.find(':');
    return std::string(digest.substr(0, colon == std::string_view::npos ? 12 : colon + 13));
}

UploadLines::UploadLines(const env::Clock& clock, bool on_terminal, std::FILE* to)
    : clock_(clock), on_terminal_(on_terminal), to_(to) {}

std::string UploadLines::bar(const BlobUpload::Progress& progress) {
    std::int64_t percent = progress.total > 0 ? progress.sent * 100 / progress.total : 100;
    int full = static_cast<int>(percent) * bar_width / 100;
    char line[160];
    std::snprintf(line, sizeof line, "%s  %3d%%  [%s%s]  %s of %s", short_digest(progress.digest).c_str(),
                  static_cast<int>(percent), std::string(static_cast<std::size_t>(full), '#').c_str(),
                  std::string(static_cast<std::size_t>(bar_width - full), ' ').c_str(), rounded(Bytes{progress.sent}).c_str(),
                  rounded(Bytes{progress.total}).c_str());
    return line;
}

void UploadLines::finish_line(const BlobUpload::Progress& progress, const char* how) {
    if (on_terminal_) std::fputs("\r\033[K", to_);
    std::fprintf(to_, "%s  %s  %s\n", short_digest(progress.digest).c_str(), how, rounded(Bytes{progress.total}).c_str());
    std::fflush(to_);
    open_ = false;
}

void UploadLines::tell(const BlobUpload::Progress& progress) {
    using Stage = BlobUpload::Progress::Stage;
    switch (progress.stage) {
    case Stage::present:
        return finish_line(progress, "is there  ");
    case Stage::finished:
        return finish_line(progress, "sent      ");
    case Stage::broken:
        return finish_line(progress, "broken off");
    case Stage::begun:
    case Stage::moving:
        break;
    }
    if (!on_terminal_) return;
    Instant now = clock_.now();
    if (open_ && now - drawn_ < redraw_period) return;
    drawn_ = now;
    open_ = true;
    std::fprintf(to_, "\r\033[K%s", bar(progress).c_str());
    std::fflush(to_);
}

} // namespace skerry::cli
