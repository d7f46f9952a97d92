#include "depot/depot.h"

#include "base/units.h"
#include "depot/scrub.h"
#include "depot/transfer.h"

#include <algorithm>

namespace skerry::depot {

namespace {

constexpr std::string_view mark_suffix = ".mark";

std::string folder_above(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string in_bytes(std::uint64_t count) {
    return std::to_string(count) + " bytes (" +
           rounded(Bytes{static_cast<std::int64_t>(std::min(count, std::uint64_t{1} << 62))}) + ")";
}

Result<void> remove_if_there(env::Files& files, const std::string& path) {
    auto removed = files.remove(path);
    if (!removed && removed.error().code != Code::not_found) return removed;
    return {};
}

/// Two of hexadecimal, as the folders under blobs/ are named.
bool is_shard(std::string_view name) {
    return name.size() == 2 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

} // namespace

Depot::Depot(env::Files& files, std::string folder, DepotOptions options)
    : files_(files), folder_(std::move(folder)), options_(std::move(options)) {}
Depot::~Depot() = default;

Result<std::unique_ptr<Depot>> Depot::open(env::Files& files, std::string folder, DepotOptions options) {
    std::unique_ptr<Depot> depot(new Depot(files, std::move(folder), std::move(options)));
    TRY_VOID(depot->prepare() | during("open the depot in " + depot->folder_));
    return depot;
}

Result<void> Depot::prepare() {
    TRY_VOID(files_.make_folder(folder_));
    for (const char* name : {"/blobs", "/partial", "/damaged"}) TRY_VOID(files_.make_folder(folder_ + name));
    TRY_VOID(files_.sync_folder(folder_));
    TRY_VOID(files_.sync_folder(folder_above(folder_)));
    for (const std::string& name : TRY(files_.list(folder_ + "/partial"))) {
        std::string_view digits = name;
        bool is_mark = digits.ends_with(mark_suffix);
        if (is_mark) digits.remove_suffix(mark_suffix.size());
        auto digest = Digest::parse("sha256:" + std::string(digits));
        // A mark alone, and a transfer whose blob is there, are what a cut inside `finish` leaves.
        bool stale = !digest || TRY(has(*digest)) || (is_mark && !TRY(files_.exists(partial_path(*digest))));
        if (stale) TRY_VOID(remove_if_there(files_, folder_ + "/partial/" + name));
    }
    return {};
}

std::string Depot::shard(const Digest& digest) const { return folder_ + "/blobs/" + std::string(digest.digits().substr(0, 2)); }
std::string Depot::blob_path(const Digest& digest) const { return shard(digest) + "/" + std::string(digest.digits()); }
std::string Depot::partial_path(const Digest& digest) const { return folder_ + "/partial/" + std::string(digest.digits()); }

Result<bool> Depot::has(const Digest& digest) const { return files_.exists(blob_path(digest)); }

namespace {

Result<std::unique_ptr<env::File>> open_blob(env::Files& files, const std::string& path, const Digest& digest) {
    auto file = files.open(path, env::Files::Mode::read);
    if (!file && file.error().code == Code::not_found) return fail(Code::not_found, "blob " + digest.text() + " is not here");
    return file;
}

} // namespace

Result<std::uint64_t> Depot::size(const Digest& digest) const {
    auto file = TRY(open_blob(files_, blob_path(digest), digest));
    return file->size();
}

Result<std::string> Depot::path(const Digest& digest) const {
    if (!TRY(has(digest))) return fail(Code::not_found, "blob " + digest.text() + " is not here");
    return blob_path(digest);
}

Result<std::string> Depot::read(const Digest& digest, std::uint64_t offset, std::size_t size) const {
    auto file = TRY(open_blob(files_, blob_path(digest), digest));
    return file->read(offset, std::min<std::size_t>(size, 4 << 20));
}

Result<std::string> Depot::read_whole(const Digest& digest, std::size_t limit) const {
    if (!TRY(has(digest))) return fail(Code::not_found, "blob " + digest.text() + " is not here");
    return env::read_whole(files_, blob_path(digest), limit);
}

Result<std::uint64_t> Depot::have(const Digest& digest) const {
    if (auto open = transfers_.find(digest); open != transfers_.end()) return open->second->have();
    auto whole = size(digest);
    if (whole || whole.error().code != Code::not_found) return whole;
    auto file = files_.open(partial_path(digest), env::Files::Mode::read);
    if (!file) {
        if (file.error().code == Code::not_found) return 0;
        return std::unexpected(file.error());
    }
    return std::min(TRY((*file)->size()),
                    TRY(Mark::read(files_, partial_path(digest) + std::string(mark_suffix), options_.boot_id, 0)));
}

Result<void> Depot::check_room(const Digest& digest, std::uint64_t needed) const {
    std::uint64_t promised = 0;
    for (const auto& [other, transfer] : transfers_) promised += transfer->outstanding();
    std::uint64_t free = TRY(files_.free());
    std::uint64_t usable = free - std::min(free, options_.reserve);
    usable -= std::min(usable, promised);
    if (needed <= usable) return {};
    return fail(Code::exhausted, "blob " + digest.text() + " needs " + in_bytes(needed) + "; " + in_bytes(free) +
                                     " are free, of which " + in_bytes(options_.reserve) + " stay reserved and " +
                                     in_bytes(promised) + " are promised to transfers under way: make room on this disk");
}

Result<std::uint64_t> Depot::open_partial(const Digest& digest, std::uint64_t size) {
    if (TRY(has(digest))) {
        std::uint64_t whole = TRY(this->size(digest));
        if (whole != size)
            return fail(Code::conflict, "blob " + digest.text() + " is here with " + std::to_string(whole) + " bytes, not " +
                                            std::to_string(size));
        return whole;
    }
    if (auto open = transfers_.find(digest); open != transfers_.end()) {
        if (open->second->size() == size) return open->second->have();
        return fail(Code::conflict, "blob " + digest.text() + " is under way with " + std::to_string(open->second->size()) +
                                        " bytes, not " + std::to_string(size));
    }
    std::uint64_t had = TRY(have(digest));
    TRY_VOID(check_room(digest, size - std::min(size, had)));
    auto transfer = TRY(
        Transfer::open(files_, partial_path(digest), partial_path(digest) + std::string(mark_suffix), options_.boot_id, size));
    TRY_VOID(files_.sync_folder(folder_ + "/partial"));
    std::uint64_t here = transfer->have();
    transfers_.emplace(digest, std::move(transfer));
    return here;
}

Result<void> Depot::remove_partial(const Digest& digest) {
    transfers_.erase(digest);
    // The mark first, and durably: no later transfer may be measured by it.
    TRY_VOID(remove_if_there(files_, partial_path(digest) + std::string(mark_suffix)));
    TRY_VOID(files_.sync_folder(folder_ + "/partial"));
    return remove_if_there(files_, partial_path(digest));
}

/// After a failed sync nobody knows what is on the disk (the kernel forgets what it could not write), so the transfer starts
/// over.
Result<void> Depot::make_durable(const Digest& digest, Transfer& transfer) {
    auto synced = transfer.sync();
    if (synced) return {};
    (void)remove_partial(digest);
    return synced | during("blob " + digest.text());
}

Result<std::uint64_t> Depot::write(const Digest& digest, std::uint64_t offset, std::string_view bytes) {
    auto open = transfers_.find(digest);
    if (open == transfers_.end()) return fail(Code::not_found, "no transfer of blob " + digest.text() + " is open");
    Transfer& transfer = *open->second;
    std::uint64_t have = TRY(transfer.write(offset, bytes) | during("blob " + digest.text()));
    if (have - transfer.durable() >= options_.sync_every) TRY_VOID(make_durable(digest, transfer));
    return have;
}

/// Under its name, durably. Repeatable.
Result<void> Depot::show(const Digest& digest) {
    TRY_VOID(files_.make_folder(shard(digest)));
    TRY_VOID(files_.sync_folder(folder_ + "/blobs"));
    if (!TRY(has(digest))) TRY_VOID(files_.rename(partial_path(digest), blob_path(digest)));
    return files_.sync_folder(shard(digest));
}

Result<void> Depot::finish(const Digest& digest) {
    auto open = transfers_.find(digest);
    bool whole = TRY(has(digest));
    if (!whole) {
        if (open == transfers_.end()) return fail(Code::not_found, "no transfer of blob " + digest.text() + " is open");
        Transfer& transfer = *open->second;
        if (transfer.have() < transfer.size())
            return fail(Code::conflict, "blob " + digest.text() + " has " + std::to_string(transfer.have()) + " of its " +
                                            std::to_string(transfer.size()) + " bytes: not finished");
        Digest found = transfer.digest();
        if (found != digest) {
            TRY_VOID(remove_partial(digest));
            return fail(Code::corrupt, "what came as blob " + digest.text() + " is " + found.text() + ": deleted");
        }
        TRY_VOID(make_durable(digest, transfer));
    }
    TRY_VOID(show(digest) | during("blob " + digest.text()));
    transfers_.erase(digest);
    return remove_if_there(files_, partial_path(digest) + std::string(mark_suffix));
}

Result<void> Depot::suspend(const Digest& digest) {
    auto open = transfers_.find(digest);
    if (open == transfers_.end()) return {};
    // Closed even where the disk is full: it resumes behind what was durable before.
    auto durable = make_durable(digest, *open->second);
    transfers_.erase(digest);
    return durable;
}

Result<void> Depot::abandon(const Digest& digest) { return remove_partial(digest); }

Result<Digest> Depot::put(std::string_view bytes) {
    Digest digest = Digest::of(bytes);
    std::uint64_t here = TRY(open_partial(digest, bytes.size()));
    if (here < bytes.size()) TRY_VOID(write(digest, here, bytes.substr(static_cast<std::size_t>(here))));
    TRY_VOID(finish(digest));
    return digest;
}

void Depot::pin(const Digest& digest) { ++pins_[digest]; }

void Depot::unpin(const Digest& digest) {
    auto pin = pins_.find(digest);
    if (pin != pins_.end() && --pin->second <= 0) pins_.erase(pin);
}

bool Depot::is_held(const Digest& digest, const std::set<Digest>& keep) const {
    return keep.contains(digest) || pins_.contains(digest) || transfers_.contains(digest);
}

Result<void> Depot::sweep_folder(const std::string& path, const std::set<Digest>& keep, Swept& swept) {
    for (const std::string& name : TRY(files_.list(path))) {
        std::string_view digits = name;
        bool is_mark = digits.ends_with(mark_suffix);
        if (is_mark) digits.remove_suffix(mark_suffix.size());
        auto digest = Digest::parse("sha256:" + std::string(digits));
        if (!digest || is_held(*digest, keep)) continue;
        std::string victim = path + "/" + name;
        std::uint64_t bytes = TRY(TRY(files_.open(victim, env::Files::Mode::read))->size());
        TRY_VOID(remove_if_there(files_, victim));
        if (is_mark) continue;
        ++swept.blobs;
        swept.bytes += bytes;
    }
    return {};
}

Result<Depot::Swept> Depot::sweep(const std::set<Digest>& keep) {
    Swept swept;
    for (const std::string& name : TRY(files_.list(folder_ + "/blobs")))
        if (is_shard(name)) TRY_VOID(sweep_folder(folder_ + "/blobs/" + name, keep, swept));
    TRY_VOID(sweep_folder(folder_ + "/partial", keep, swept));
    for (const std::string& name : TRY(files_.list(folder_ + "/damaged")))
        TRY_VOID(remove_if_there(files_, folder_ + "/damaged/" + name));
    return swept;
}

Result<std::vector<Depot::Entry>> Depot::list() const {
    std::vector<Entry> entries;
    for (const std::string& name : TRY(files_.list(folder_ + "/blobs"))) {
        if (!is_shard(name)) continue;
        for (const std::string& digits : TRY(files_.list(folder_ + "/blobs/" + name))) {
            auto digest = Digest::parse("sha256:" + digits);
            if (!digest) continue;
            auto bytes = size(*digest);
            if (!bytes && bytes.error().code == Code::not_found) continue; // swept meanwhile
            entries.push_back({*digest, TRY(bytes)});
        }
    }
    return entries;
}

Result<void> Depot::set_aside(const Digest& digest) {
    auto renamed = files_.rename(blob_path(digest), folder_ + "/damaged/" + std::string(digest.digits()));
    if (!renamed && renamed.error().code != Code::not_found) return renamed;
    TRY_VOID(files_.sync_folder(shard(digest)));
    return files_.sync_folder(folder_ + "/damaged");
}

Result<std::unique_ptr<Scrub>> Depot::begin_scrub(const Digest& digest) {
    // Opened first: a return from within `new` would leave its memory behind.
    auto file = TRY(open_blob(files_, blob_path(digest), digest));
    return std::unique_ptr<Scrub>(new Scrub(*this, digest, std::move(file)));
}

Result<bool> Depot::scrub(const Digest& digest) {
    auto scrub = TRY(begin_scrub(digest));
    for (;;)
        if (auto good = TRY(scrub->step(1 << 20))) return *good;
}

} // namespace skerry::depot
