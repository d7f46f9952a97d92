#include "link/courier_file.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/digest.h"
#include "base/number.h"
#include "trust/keys/key.h"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::link {

namespace {

constexpr std::string_view magic = "skerry courier file 1\n", any_magic = "skerry courier file ";
constexpr std::size_t max_signature = 256, most_left = std::size_t{64} << 30;
constexpr std::uint32_t last_bit = 1u << 31;
constexpr JsonLimits header_limits{.bytes = max_courier_header, .depth = 4, .values = 4096};
constexpr JsonLimits contents_limits{.bytes = max_courier_contents, .depth = 4, .values = 100'000};

std::unexpected<Error> damaged(std::string what) {
    return fail(Code::corrupt, "courier file: " + std::move(what) + "; copy it again from where it was packed");
}

std::unexpected<Error> malformed(std::string_view field, std::string_view what) {
    return fail(Code::invalid, fmt::format("courier file: {}: {}", field, what));
}

Result<std::string> text_of(const Json& json, std::string_view field, std::size_t limit) {
    std::string_view text = json.text(field);
    if (text.size() > limit) return malformed(field, fmt::format("{} bytes (at most {})", text.size(), limit));
    return std::string(text);
}

Result<std::uint64_t> number_of(const Json& json, std::string_view field) {
    auto number = parse_number<std::uint64_t>(json.text(field));
    if (!number) return malformed(field, "not a number");
    return *number;
}

Result<std::vector<std::string>> texts_of(const Json& json, std::string_view field, std::size_t most) {
    std::vector<std::string> texts;
    const Json* list = json.find(field);
    if (!list) return texts;
    if (!list->array_items() || list->array_items()->size() > most)
        return malformed(field, fmt::format("not a list of at most {} texts", most));
    for (const Json& each : *list->array_items()) {
        if (!each.string() || each.string()->size() > 512) return malformed(field, "not a list of short texts");
        texts.push_back(*each.string());
    }
    return texts;
}

Json list_of(const std::vector<std::string>& texts) {
    Json list = Json::array();
    for (const std::string& text : texts) list.push(text);
    return list;
}

std::uint32_t read_length(std::string_view bytes) {
    return static_cast<std::uint32_t>(read_big_endian(std::string(4, '\0').append(bytes.substr(0, 4))));
}

std::string length(std::uint32_t value) { return big_endian(value).substr(4); }

/// The two parts of a file's beginning; none while bytes are missing.
struct Beginning {
    std::string_view text; ///< that is signed
    std::string_view json, signature;
    std::size_t size = 0;
};
Result<std::optional<Beginning>> find_beginning(std::string_view bytes) {
    std::string_view shown = bytes.substr(0, magic.size());
    if (shown != magic.substr(0, shown.size())) {
        if (shown.starts_with(any_magic))
            return fail(Code::unsupported, "courier file: it has another format than 1, the one that this build reads; upgrade "
                                           "skerry here");
        return fail(Code::invalid, "this is no courier file (skerry courier pack makes one)");
    }
    if (bytes.size() < magic.size() + 4) return std::optional<Beginning>{};
    std::size_t size = read_length(bytes.substr(magic.size()));
    if (size > max_courier_header) return malformed("header", fmt::format("{} bytes (at most {})", size, max_courier_header));
    std::size_t end = magic.size() + 4 + size;
    if (bytes.size() < end + 2) return std::optional<Beginning>{};
    std::size_t signature = static_cast<unsigned char>(bytes[end]) * 256u + static_cast<unsigned char>(bytes[end + 1]);
    if (signature > max_signature) return malformed("signature", "longer than any");
    if (bytes.size() < end + 2 + signature) return std::optional<Beginning>{};
    return Beginning{.text = bytes.substr(0, end),
                     .json = bytes.substr(magic.size() + 4, size),
                     .signature = bytes.substr(end + 2, signature),
                     .size = end + 2 + signature};
}

std::uint64_t blob_bytes(const CourierContents& contents) {
    std::uint64_t bytes = 0;
    for (const auto& blob : contents.blobs) bytes += blob.size;
    return bytes;
}

} // namespace

Json CourierHeader::json() const {
    Json json = Json::object({{"from", trust::uri_of(from)},
                              {"to", trust::uri_of(to)},
                              {"id", id.text()},
                              {"made", rfc3339(made)},
                              {"version", version},
                              {"until", std::to_string(until)},
                              {"bytes", std::to_string(bytes)},
                              {"contents", contents},
                              {"receiverKey", receiver_key},
                              {"point", base64(point)},
                              {"chain", chain}});
    if (base) json.set("base", std::to_string(*base));
    if (!succession.empty()) json.set("succession", trust::json(succession));
    return json;
}

Result<CourierHeader> CourierHeader::from_json(const Json& json) {
    CourierHeader header;
    header.from = TRY(trust::parse_uri(json.text("from")) | during("courier file: from"));
    header.to = TRY(trust::parse_uri(json.text("to")) | during("courier file: to"));
    header.id = TRY(Id::parse(json.text("id")) | during("courier file: id"));
    header.made = TRY(parse_rfc3339(json.text("made")) | during("courier file: made"));
    header.version = TRY(text_of(json, "version", 256));
    if (json.find("base")) header.base = TRY(number_of(json, "base"));
    header.until = TRY(number_of(json, "until"));
    header.bytes = TRY(number_of(json, "bytes"));
    if (header.bytes > most_left) return malformed("bytes", "more than 64 GiB");
    header.contents = TRY(text_of(json, "contents", 64));
    header.receiver_key = TRY(text_of(json, "receiverKey", 64));
    header.point = TRY(unbase64(TRY(text_of(json, "point", 128))) | during("courier file: point"));
    header.chain = TRY(text_of(json, "chain", 64 << 10));
    if (const Json* steps = json.find("succession")) header.succession = TRY(trust::parse_succession(*steps));
    return header;
}

Json CourierContents::json() const {
    Json list = Json::array();
    for (const Blob& blob : blobs) list.push(Json::object({{"digest", blob.digest}, {"size", std::to_string(blob.size)}}));
    return Json::object({{"salt", base64(salt)},
                         {"slices", std::to_string(slices)},
                         {"slicesHash", slices_hash},
                         {"blobs", std::move(list)},
                         {"leftOut", list_of(left_out)},
                         {"wants", list_of(wants)}});
}

Result<CourierContents> CourierContents::from_json(const Json& json) {
    CourierContents contents;
    contents.slices = TRY(number_of(json, "slices"));
    contents.slices_hash = TRY(text_of(json, "slicesHash", 64));
    const Json* blobs = json.find("blobs");
    if (!blobs || !blobs->array_items() || blobs->array_items()->size() > most_courier_blobs)
        return malformed("blobs", fmt::format("not a list of at most {}", most_courier_blobs));
    for (const Json& each : *blobs->array_items()) {
        Blob blob{.digest = TRY(text_of(each, "digest", 71)), .size = TRY(number_of(each, "size"))};
        if (blob.size == 0 || blob.size > most_left) return malformed("blobs", "one of no or of more than 64 GiB");
        contents.blobs.push_back(std::move(blob));
    }
    contents.left_out = TRY(texts_of(json, "leftOut", most_courier_images));
    contents.wants = TRY(texts_of(json, "wants", most_courier_images));
    return contents;
}

Result<CourierWriter> CourierWriter::begin(CourierHeader header, const CourierContents& contents, std::string_view receiver,
                                           std::string_view key) {
    if (contents.blobs.size() > most_courier_blobs)
        return fail(Code::exhausted, fmt::format("more than {} blobs; give a smaller --max-size", most_courier_blobs));
    std::string inner = write_json(contents.json());
    if (inner.size() > max_courier_contents) return fail(Code::exhausted, "more images than a courier file can list");
    auto sealing = TRY(trust::Sealing::to(receiver));
    header.point = sealing.point();
    header.contents = hex(sha256(inner));
    header.bytes = 4 + inner.size() + contents.slices + blob_bytes(contents);
    CourierWriter writer(std::move(header), std::move(sealing));
    std::string json = write_json(writer.header_.json());
    if (json.size() > max_courier_header || writer.header_.bytes > most_left)
        return fail(Code::exhausted, "a courier file of more than 64 GiB; give a smaller --max-size");
    writer.beginning_ = std::string(magic) + length(static_cast<std::uint32_t>(json.size())) + json;
    std::string signature = TRY(trust::sign(key, writer.beginning_));
    CHECK(signature.size() <= max_signature);
    TRY_VOID(writer.sealing_.begin(writer.beginning_));
    writer.beginning_ += length(static_cast<std::uint32_t>(signature.size())).substr(2) + signature;
    std::uint64_t pieces = (writer.header_.bytes + courier_piece - 1) / courier_piece;
    writer.size_ = writer.beginning_.size() + writer.header_.bytes + pieces * (4 + trust::Sealing::tag_size);
    writer.left_ = writer.header_.bytes;
    writer.beginning_ += TRY(writer.add(length(static_cast<std::uint32_t>(inner.size())) + inner));
    return writer;
}

Result<std::string> CourierWriter::add(std::string_view bytes) {
    if (bytes.size() > left_) return fail(Code::conflict, "more bytes than the contents say");
    left_ -= bytes.size();
    waiting_ += bytes;
    std::string out;
    std::size_t at = 0;
    // The last piece is not empty, and known to be the last.
    for (; waiting_.size() - at > courier_piece; at += courier_piece) {
        std::string sealed = TRY(sealing_.seal(std::string_view(waiting_).substr(at, courier_piece), false));
        out += length(static_cast<std::uint32_t>(sealed.size())) + sealed;
    }
    waiting_.erase(0, at);
    return out;
}

Result<std::string> CourierWriter::finish() {
    if (left_ != 0) return fail(Code::conflict, fmt::format("{} bytes are missing", left_));
    std::string sealed = TRY(sealing_.seal(waiting_, true));
    return length(static_cast<std::uint32_t>(sealed.size()) | last_bit) + sealed;
}

Result<CourierHeader> read_courier_header(std::string_view bytes) {
    auto beginning = TRY(find_beginning(bytes));
    if (!beginning) return damaged("it ends within its header");
    return CourierHeader::from_json(TRY(parse_json(beginning->json, header_limits) | during("courier file: header")));
}

Result<bool> CourierReader::read_beginning() {
    auto beginning = TRY(find_beginning(waiting_));
    if (!beginning) return false;
    auto header = TRY(CourierHeader::from_json(TRY(parse_json(beginning->json, header_limits) | during("courier file: header"))));
    std::string key = TRY(admit_(header, beginning->text, beginning->signature));
    unsealing_ = TRY(trust::Unsealing::with(key, header.point, beginning->text) | during("courier file"));
    waiting_.erase(0, beginning->size);
    header_ = std::move(header);
    return true;
}

Result<bool> CourierReader::read_piece(std::vector<Piece>& pieces) {
    if (last_) {
        if (!waiting_.empty()) return damaged("there are bytes behind its end");
        return false;
    }
    if (waiting_.size() < 4) return false;
    std::uint32_t word = read_length(waiting_), size = word & ~last_bit;
    if (size <= trust::Sealing::tag_size || size > courier_piece + trust::Sealing::tag_size)
        return damaged(fmt::format("a piece of {} bytes", size));
    if (waiting_.size() < 4 + std::size_t{size}) return false;
    last_ = (word & last_bit) != 0;
    auto plain = unsealing_->open(std::string_view(waiting_).substr(4, size), last_);
    if (!plain) return damaged(plain.error().message);
    waiting_.erase(0, 4 + std::size_t{size});
    TRY_VOID(open(std::move(*plain), pieces));
    return true;
}

Result<void> CourierReader::open(std::string plain, std::vector<Piece>& pieces) {
    read_ += plain.size();
    if (read_ > header_->bytes) return damaged("it is longer than its header says");
    std::string_view rest = plain;
    if (!contents_) {
        opened_ += plain;
        if (opened_.size() < 4) return {};
        std::size_t size = read_length(opened_);
        if (size > max_courier_contents) return malformed("contents", fmt::format("{} bytes", size));
        if (opened_.size() - 4 < size) return {};
        std::string_view json = std::string_view(opened_).substr(4, size);
        if (hex(sha256(json)) != header_->contents) return damaged("its contents are not those that its header names");
        auto contents =
            TRY(CourierContents::from_json(TRY(parse_json(json, contents_limits) | during("courier file: contents"))));
        if (header_->bytes != 4 + size + contents.slices + blob_bytes(contents) || contents.slices > max_courier_slices)
            return malformed("bytes", "not the sum of its contents");
        contents_ = std::move(contents);
        plain = opened_.substr(4 + size);
        opened_ = {};
        rest = plain;
    }
    std::size_t of_slices = std::min<std::uint64_t>(rest.size(), contents_->slices - slices_.size());
    slices_ += rest.substr(0, of_slices);
    rest.remove_prefix(of_slices);
    while (!rest.empty()) {
        if (blob_ >= contents_->blobs.size()) return damaged("it is longer than its contents say");
        std::size_t size = std::min<std::uint64_t>(rest.size(), contents_->blobs[blob_].size - at_);
        pieces.push_back({.blob = blob_, .at = at_, .bytes = std::string(rest.substr(0, size))});
        rest.remove_prefix(size);
        at_ += size;
        if (at_ == contents_->blobs[blob_].size) ++blob_, at_ = 0;
    }
    return {};
}

Result<std::vector<CourierReader::Piece>> CourierReader::take(std::string_view bytes) {
    std::vector<Piece> pieces;
    waiting_ += bytes;
    if (!header_ && !TRY(read_beginning())) return pieces;
    while (TRY(read_piece(pieces))) {
    }
    return pieces;
}

Result<void> CourierReader::end() const {
    if (!header_) return damaged("it ends within its header");
    if (!last_ || !waiting_.empty() || !contents_ || read_ != header_->bytes)
        return damaged(fmt::format("it is cut short: {} of {} bytes are there", read_, header_->bytes));
    if (hex(sha256(slices_)) != contents_->slices_hash) return damaged("its slices are not those that its contents name");
    return {};
}

} // namespace skerry::link
