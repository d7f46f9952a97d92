// Courier files: one that anybody wrote, which nothing may come of; and one whose sender had the right key and said what it likes.
#include "base/bytes.h"
#include "base/check.h"
#include "base/digest.h"
#include "link/courier_file.h"
#include "seeds.h"
#include "sync/courier.h"
#include "sync/fake_link_test.h"
#include "trust/keys/key.h"
#include "trust/verify.h"

using namespace skerry;

namespace {

const std::string& receiver_key() {
    static const std::string key = trust::make_key().value();
    return key;
}

link::CourierHeader header() {
    return {.from = trust::Identity::core("core", CellId(Id{7, 1})),
            .to = trust::Identity::of_site("vessel-7", CellId(Id{7, 2})),
            .id = Id{3, 3},
            .made = {1'800'000'000, 0},
            .version = "1",
            .base = 100,
            .until = 120,
            .receiver_key = trust::key_fingerprint(receiver_key()).value()};
}

std::string file_of(const std::string& slices, const std::string& blob) {
    link::CourierContents contents{.salt = "salt", .slices = slices.size(), .slices_hash = hex(sha256(slices))};
    if (!blob.empty()) contents.blobs.push_back({"sha256:" + hex(sha256(blob)), blob.size()});
    auto writer =
        link::CourierWriter::begin(header(), contents, trust::public_key(receiver_key()).value(), receiver_key()).value();
    return writer.beginning() + writer.add(slices).value() + writer.add(blob).value() + writer.finish().value();
}

/// As if the signature were right: whom it is from is for others to judge.
void read_file(std::string_view bytes, std::size_t portion) {
    (void)link::read_courier_header(bytes);
    link::CourierReader reader([](const link::CourierHeader& shown, std::string_view, std::string_view) -> Result<std::string> {
        CHECK(link::CourierHeader::from_json(shown.json()).has_value(), "a header does not read back");
        return receiver_key();
    });
    std::vector<std::uint64_t> blobs;
    while (!bytes.empty()) {
        auto pieces = reader.take(bytes.substr(0, portion));
        bytes.remove_prefix(std::min(portion, bytes.size()));
        if (!pieces) return;
        for (const auto& piece : *pieces) {
            CHECK(piece.blob < reader.contents()->blobs.size());
            blobs.resize(reader.contents()->blobs.size());
            CHECK(blobs[piece.blob] == piece.at, "pieces of a blob follow one another");
            blobs[piece.blob] += piece.bytes.size();
            CHECK(blobs[piece.blob] <= reader.contents()->blobs[piece.blob].size);
        }
    }
    if (!reader.end()) return;
    CHECK(reader.slices().size() == reader.contents()->slices);
}

void take(sync::Place& to, const sync::CarriedSlices& carried) {
    std::optional<sync::Cursor> status;
    auto before = to.cursor;
    auto taking = to.session->take(carried, status, false);
    if (!taking) {
        CHECK(!taking.error().message.empty());
        return;
    }
    while (auto apply = to.session->take_apply()) {
        CHECK(apply->items.size() + apply->removed.size() <= sync::max_frame_items);
        to.waiting.push_back(std::move(*apply));
        to.land(Instant{1s});
    }
    CHECK(!before || !to.cursor || *before <= *to.cursor || before->incarnation != to.cursor->incarnation,
          "the cursor goes back");
    if (taking->taken.brings != sync::Brings::news || taking->taken.lacking > 0) return;
    auto again = to.session->weigh(carried, carried.courier.history.back(), false);
    CHECK(again && again->items == 0, "the same file brings something twice");
}

/// The receiver is cell 2, which has something of cell 1 already.
void apply(std::string_view bytes) {
    auto carried = sync::read_carried(bytes);
    if (!carried) return;
    sync::Place to(sync::Side::child, 2, 1);
    for (std::uint64_t n = 0; n < 8; ++n) to.held[0][sync::key_of(n)] = {1, "wish"};
    take(to, *carried);
}

std::string slices(std::uint64_t items) {
    sync::Place from(sync::Side::parent, 1, 2);
    for (std::uint64_t n = 0; n < items; ++n) {
        from.put(sync::Lane::desired, sync::key_of(n + 3), "wish");
        from.put(sync::Lane::status, sync::key_of(n, 10, 1), "up");
    }
    sync::Courier courier{.from = sync::cell_id(1), .to = sync::cell_id(2)};
    courier.history.push_back({sync::incarnation_id(1, 1), from.head()});
    courier.until[0] = courier.until[1] = from.head();
    return sync::write_carried(from.session->carry(std::move(courier))).value();
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    fuzz::start_from(
        {'\0' + file_of(slices(3), "blob"), '\0' + file_of("", ""), '\1' + slices(0), '\1' + slices(5), '\1' + slices(20)}, count,
        arguments);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
    fuzz::Input input(bytes, size);
    if (input.byte() % 2 == 0)
        read_file(input.rest(), 997);
    else
        apply(input.rest());
    return 0;
}
