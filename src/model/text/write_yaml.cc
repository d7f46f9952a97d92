#include "model/text/scalar.h"
#include "model/text/yaml.h"

#include <algorithm>
#include <cstdint>

namespace skerry::model {

namespace {

bool is_plain(std::string_view text) {
    if (text.empty() || !plain_scalar(text).string()) return false;
    // What YAML 1.1 reads as something else: kubectl and most tools still do.
    static constexpr std::string_view words[] = {"y",  "n",  "yes", "no",  "on", "off", "Y",   "N",  "Yes",
                                                 "No", "On", "Off", "YES", "NO", "ON",  "OFF", "<<", "="};
    if (std::find(std::begin(words), std::end(words), text) != std::end(words)) return false;
    char first = text.front();
    bool begins_well = ('a' <= first && first <= 'z') || ('A' <= first && first <= 'Z') || first == '/' || first == '_' ||
                       first == '(' || first == '$';
    // Dates, times, versions and numbers of other bases begin with a digit.
    if (!begins_well || text.back() == ' ' || text.back() == ':') return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<std::uint8_t>(text[i]);
        if (byte < 0x20 || byte >= 0x7f) return false;
        if (text[i] == ':' && i + 1 < text.size() && text[i + 1] == ' ') return false;
        if (text[i] == '#' && i > 0 && text[i - 1] == ' ') return false;
    }
    return true;
}

/// Double quotes: the escapes of JSON are YAML's too. Other bytes than ASCII's printable ones are well-formed UTF-8, as
/// everywhere in Json.
std::string in_quotes(std::string_view text) {
    std::string out = write_json(Json(text));
    // JSON leaves DEL and the C1 controls, NEL, LS, PS and the byte order mark as they are; YAML does not take all of them so.
    auto replace = [&](std::string_view bytes, std::string_view escape) {
        for (std::size_t at = out.find(bytes); at != std::string::npos; at = out.find(bytes, at + escape.size()))
            out.replace(at, bytes.size(), escape);
    };
    replace("\x7f", "\\x7f");
    replace("\xe2\x80\xa8", "\\L");
    replace("\xe2\x80\xa9", "\\P");
    replace("\xef\xbb\xbf", "\\ufeff");
    static constexpr char digits[] = "0123456789abcdef";
    for (unsigned c = 0x80; c < 0xa0; ++c) {
        const char bytes[] = {'\xc2', static_cast<char>(c)};
        const char escape[] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
        replace(std::string_view(bytes, 2), std::string_view(escape, 4));
    }
    return out;
}

/// Lines as they are, for scripts and certificates. Only where nothing in the text could be read otherwise.
bool is_block(std::string_view text) {
    if (text.find('\n') == std::string_view::npos || text.front() == ' ' || text.front() == '\n' || text.front() == '\t')
        return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<std::uint8_t>(text[i]);
        if (byte >= 0x7f || (byte < 0x20 && byte != '\n')) return false;
        if (text[i] == '\n' && i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\n')) return false;
    }
    return text.back() != ' ';
}

class Writer {
public:
    std::string take() { return std::move(out_); }

    void value(const Json& json, std::size_t indent) {
        if (auto* members = json.members(); members && !members->empty()) {
            bool first = true;
            for (auto& [name, member] : *members) {
                if (!first) out_.append(indent, ' ');
                first = false;
                out_ += is_plain(name) ? name : in_quotes(name);
                out_ += ':';
                inner(member, indent);
            }
        } else if (auto* items = json.array_items(); items && !items->empty()) {
            bool first = true;
            for (const Json& item : *items) {
                if (!first) out_.append(indent, ' ');
                first = false;
                out_ += "- ";
                if (is_collection(item))
                    value(item, indent + 2);
                else
                    scalar(item, indent + 2);
            }
        } else
            scalar(json, indent);
    }

private:
    static bool is_collection(const Json& json) {
        return (json.members() && !json.members()->empty()) || (json.array_items() && !json.array_items()->empty());
    }

    /// A member's value behind its colon. Lists stay at the member's own column, as kubectl writes them.
    void inner(const Json& json, std::size_t indent) {
        if (!is_collection(json)) {
            out_ += ' ';
            return scalar(json, indent + 2);
        }
        std::size_t column = json.array_items() ? indent : indent + 2;
        out_ += '\n';
        out_.append(column, ' ');
        value(json, column);
    }

    void scalar(const Json& json, std::size_t indent) {
        const std::string* text = json.string();
        if (text && !text->empty() && indent > 0 && is_block(*text)) return block(*text, indent);
        out_ += text ? (is_plain(*text) ? *text : in_quotes(*text)) : write_json(json);
        out_ += '\n';
    }

    void block(std::string_view text, std::size_t indent) {
        bool ends = text.back() == '\n';
        out_ += ends ? "|\n" : "|-\n";
        if (ends) text.remove_suffix(1);
        for (std::size_t at = 0; at <= text.size();) {
            std::size_t end = std::min(text.find('\n', at), text.size());
            out_.append(indent, ' ');
            out_ += text.substr(at, end - at);
            out_ += '\n';
            at = end + 1;
        }
    }

    std::string out_;
};

} // namespace

std::string write_yaml(const Json& json) {
    Writer writer;
    writer.value(json, 0);
    return writer.take();
}

} // namespace skerry::model
