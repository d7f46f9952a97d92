#include "model/text/yaml.h"

#include "model/rules/problems.h"
#include "model/text/scalar.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <map>
#include <streambuf>
#include <unordered_set>

namespace skerry::model {

namespace {

/// Thrown through the library's parser, which has no other way to be stopped; ends at parse_yaml.
[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& why) { throw YAML::ParserException(mark, why); }

constexpr std::string_view core_tags = "tag:yaml.org,2002:";

/// Builds JSON from the parser's events and stops it where a bound is reached: the parser recurses once for each event that opens
/// a collection, so its depth is bounded with ours.
class Builder : public YAML::EventHandler {
public:
    Builder(std::string_view text, const YamlLimits& limits) : limits_(limits) {
        for (std::size_t at = 0; at <= text.size();) {
            std::size_t end = std::min(text.find('\n', at), text.size());
            lines_.push_back(text.substr(at, end - at));
            at = end + 1;
        }
    }

    std::vector<Json> take() { return std::move(documents_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        anchors_.clear();
        open_.clear();
        if (++seen_ > limits_.documents) refuse(mark, "more than " + std::to_string(limits_.documents) + " documents");
        if (seen_ > 1 && !is_announced(mark))
            refuse(mark, "text behind the end of the document (indent it, or begin a new document with ---)");
        last_line_ = mark.line;
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        last_line_ = std::max(last_line_, mark.line);
        scalar(mark, Json(), "", anchor, true);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
        last_line_ = std::max(last_line_, mark.line);
        bool plain = tag.empty() || tag == "?";
        if (plain && value == "<<" && is_key()) refuse(mark, "merge keys (<<) are not supported (write the members out)");
        if (is_key()) {
            if (!plain) check_tag(mark, tag);
            if (plain && plain_scalar(value).is_null()) refuse(mark, "a key is null (put it in quotes)");
            return key(mark, value, anchor);
        }
        if (plain) return scalar(mark, plain_scalar(value), value, anchor, true);
        scalar(mark, tagged(mark, tag, value), value, anchor, false);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        auto found = anchors_.find(anchor);
        if (found == anchors_.end()) refuse(mark, "an alias refers to a node that contains it");
        const Anchored& source = found->second;
        count(mark, source.values, source.bytes);
        if (is_key()) {
            const std::string* text = source.value.string();
            if (!text) refuse(mark, "a key is " + std::string(source.value.shape()) + " (use text)");
            return key(mark, *text, 0);
        }
        add(source.value);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, "seq", anchor, Json::array());
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        open(mark, tag, "map", anchor, Json::object());
    }
    void OnMapEnd() override { close(); }

private:
    struct Open {
        Json value;
        YAML::anchor_t anchor;
        std::size_t values, bytes; ///< counted before it was opened
        bool awaits_value = false;
        std::string key;
        std::unordered_set<std::string> keys;
    };
    struct Anchored {
        Json value;
        std::size_t values, bytes;
    };

    /// The parser begins a new document wherever something is left behind the end of one. YAML wants `---` or an earlier `...`
    /// there.
    bool is_announced(const YAML::Mark& mark) const {
        auto begins = [&](int line, std::string_view sign) {
            return static_cast<std::size_t>(line) < lines_.size() && lines_[static_cast<std::size_t>(line)].starts_with(sign);
        };
        if (mark.column == 0 && begins(mark.line, "---")) return true;
        for (int line = last_line_ + 1; line <= mark.line; ++line)
            if (begins(line, "...")) return true;
        return false;
    }

    bool is_key() const { return !open_.empty() && open_.back().value.members() && !open_.back().awaits_value; }

    void count(const YAML::Mark& mark, std::size_t values, std::size_t bytes) {
        values_ += values;
        bytes_ += bytes;
        if (values_ > limits_.values)
            refuse(mark, "more than " + std::to_string(limits_.values) + " values, with aliases written out");
        if (bytes_ > limits_.expanded_bytes)
            refuse(mark, "more than " + std::to_string(limits_.expanded_bytes) + " bytes of text, with aliases written out");
    }

    void key(const YAML::Mark& mark, const std::string& text, YAML::anchor_t anchor) {
        count(mark, 0, text.size() + 16);
        if (!open_.back().keys.insert(text).second) refuse(mark, "the key " + quoted(text) + " is there twice");
        if (!is_utf8(text)) refuse(mark, "a key is not UTF-8");
        if (anchor) anchors_.insert_or_assign(anchor, Anchored{Json(text), 1, text.size()});
        open_.back().key = text;
        open_.back().awaits_value = true;
    }

    void scalar(const YAML::Mark& mark, Json value, const std::string& text, YAML::anchor_t anchor, bool plain) {
        if (is_key()) refuse(mark, plain ? "a key is null (put it in quotes)" : "a key is no text");
        if (!is_utf8(text)) refuse(mark, "a text is not UTF-8");
        count(mark, 1, text.size());
        if (anchor) anchors_.insert_or_assign(anchor, Anchored{value, 1, text.size()});
        add(std::move(value));
    }

    static void check_tag(const YAML::Mark& mark, const std::string& tag) {
        if (tag != "!" && tag != std::string(core_tags) + "str")
            refuse(mark, "the tag " + quoted(tag) + " is not supported on a key");
    }

    static Json tagged(const YAML::Mark& mark, const std::string& tag, const std::string& value) {
        if (tag == "!") return Json(value);
        std::string_view word =
            std::string_view(tag).starts_with(core_tags) ? std::string_view(tag).substr(core_tags.size()) : std::string_view();
        if (word == "str") return Json(value);
        Json read = plain_scalar(value);
        if (word == "int" && read.integer()) return read;
        if (word == "float" && read.integer()) return Json(static_cast<double>(*read.integer()));
        if (word == "float" && read.real()) return read;
        if (word == "bool" && read.boolean()) return read;
        if (word == "null" && read.is_null()) return read;
        refuse(mark, "the tag " + quoted(tag) + " is not supported on " + quoted(value));
    }

    void open(const YAML::Mark& mark, const std::string& tag, std::string_view core, YAML::anchor_t anchor, Json value) {
        bool known = tag.empty() || tag == "?" || tag == "!" || tag == std::string(core_tags) + std::string(core);
        if (!known) refuse(mark, "the tag " + quoted(tag) + " is not supported");
        if (is_key()) refuse(mark, "a key is " + std::string(value.shape()) + " (use text), or a bracket is not closed");
        if (open_.size() >= limits_.depth) refuse(mark, "nested deeper than " + std::to_string(limits_.depth) + " levels");
        std::size_t values = values_, bytes = bytes_;
        count(mark, 1, 0);
        // The same number may have stood for an earlier node; until this one is complete it stands for nothing.
        if (anchor) anchors_.erase(anchor);
        open_.push_back({.value = std::move(value), .anchor = anchor, .values = values, .bytes = bytes, .key = {}, .keys = {}});
    }

    void close() {
        Open done = std::move(open_.back());
        open_.pop_back();
        if (done.anchor) {
            // What an anchor keeps is one more copy; these have a budget of the same size.
            std::size_t values = values_ - done.values, bytes = bytes_ - done.bytes;
            kept_values_ += values, kept_bytes_ += bytes;
            if (kept_values_ > limits_.values || kept_bytes_ > limits_.expanded_bytes)
                refuse(YAML::Mark(), "too much is anchored (&)");
            anchors_.insert_or_assign(done.anchor, Anchored{done.value, values, bytes});
        }
        add(std::move(done.value));
    }

    void add(Json value) {
        if (open_.empty()) {
            if (!value.is_null()) documents_.push_back(std::move(value));
            return;
        }
        Open& parent = open_.back();
        if (auto* items = parent.value.array_items()) {
            items->push_back(std::move(value));
            return;
        }
        parent.value.members()->emplace_back(std::move(parent.key), std::move(value));
        parent.awaits_value = false;
    }

    const YamlLimits& limits_;
    std::vector<Json> documents_;
    std::vector<Open> open_;
    std::map<YAML::anchor_t, Anchored> anchors_;
    std::vector<std::string_view> lines_;
    int last_line_ = 0; ///< where the document's latest scalar began
    std::size_t seen_ = 0, values_ = 0, bytes_ = 0, kept_values_ = 0, kept_bytes_ = 0;
};

/// Reads a view without copying it.
class ViewBuffer : public std::streambuf {
public:
    explicit ViewBuffer(std::string_view view) {
        char* begin = const_cast<char*>(view.data());
        setg(begin, begin, begin + view.size());
    }
};

} // namespace

Result<std::vector<Json>> parse_yaml(std::string_view text, YamlLimits limits) {
    if (text.size() > limits.bytes)
        return fail(Code::exhausted, "YAML of " + std::to_string(text.size()) + " bytes; at most " +
                                         std::to_string(limits.bytes) + " are accepted");
    // The parser would guess another encoding from zero bytes and put something else for what is broken.
    if (!is_utf8(text) || text.find('\0') != std::string_view::npos) return fail(Code::invalid, "YAML: not UTF-8 text");
    try {
        ViewBuffer buffer(text);
        std::istream stream(&buffer);
        YAML::Parser parser(stream);
        Builder builder(text, limits);
        while (parser.HandleNextDocument(builder)) {
        }
        return builder.take();
    } catch (const YAML::Exception& error) {
        if (error.mark.is_null()) return fail(Code::invalid, "YAML: " + error.msg);
        return fail(Code::invalid, "YAML, line " + std::to_string(error.mark.line + 1) + ", column " +
                                       std::to_string(error.mark.column + 1) + ": " + error.msg);
    } catch (const std::exception& error) {
        return fail(Code::invalid, std::string("YAML: ") + error.what());
    }
}

Result<std::vector<Json>> parse_manifest(std::string_view text) {
    std::size_t begin = text.find_first_not_of(" \t\r\n");
    std::vector<Json> read;
    // JSON is nearly always YAML too, but its own parser gives the better errors and is the faster one.
    bool json = begin != std::string_view::npos && (text[begin] == '{' || text[begin] == '[');
    if (Result<Json> value = json ? parse_json(text) : Result<Json>(fail(Code::invalid, "")); value)
        read.push_back(std::move(*value));
    else {
        Result<std::vector<Json>> documents = parse_yaml(text);
        if (!documents) return std::unexpected(json ? value.error() : documents.error());
        read = std::move(*documents);
    }
    std::vector<Json> objects;
    for (Json& each : read) {
        Json* items = each.text("kind") == "List" ? each.find("items") : nullptr;
        if (!items) {
            objects.push_back(std::move(each));
            continue;
        }
        if (!items->array_items()) return fail(Code::invalid, "items: " + std::string(items->shape()) + " is not a list");
        for (Json& item : *items->array_items()) objects.push_back(std::move(item));
    }
    return objects;
}

} // namespace skerry::model
