#include "model/selector.h"

#include "model/meta.pb.h"
#include "model/rules/problems.h"
#include "model/text/format.h"

#include <algorithm>

namespace skerry::model {

namespace {

/// Reads kubectl's selector syntax from left to right.
class Parser {
public:
    explicit Parser(std::string_view text) : rest_(text) {}

    Result<Selector> parse() {
        Selector selector;
        skip();
        if (rest_.empty()) return selector;
        for (;;) {
            if (selector.match_expressions_size() >= most_selector_terms)
                return refuse("has more than " + std::to_string(most_selector_terms) + " terms");
            TRY_VOID(term(*selector.add_match_expressions()));
            skip();
            if (rest_.empty()) return selector;
            if (!take(",")) return refuse("has " + quoted(rest_.substr(0, 16)) + " where a comma should be");
            skip();
        }
    }

private:
    static std::unexpected<Error> refuse(const std::string& why) {
        return fail(Code::invalid, "the label selector " + why + " (try tier=store,region in (emea,apac),!test)");
    }

    Result<void> term(Requirement& term) {
        bool absent = take("!");
        skip();
        term.set_key(std::string(word()));
        if (!is_label_key(term.key())) return refuse("has " + quoted(term.key()) + " where a label's key should be");
        skip();
        if (absent || rest_.empty() || rest_.starts_with(',')) {
            term.set_operator_(absent ? "DoesNotExist" : "Exists");
            return {};
        }
        if (take("!=")) return one(term, "NotIn");
        if (take("==") || take("=")) return one(term, "In");
        std::string_view operation = word();
        if (operation == "in") return several(term, "In");
        if (operation == "notin") return several(term, "NotIn");
        return refuse("has " + quoted(operation.empty() ? rest_.substr(0, 16) : operation) +
                      " where =, !=, in or notin should be");
    }

    Result<void> one(Requirement& term, const char* operation) {
        term.set_operator_(operation);
        skip();
        return value(term);
    }

    Result<void> several(Requirement& term, const char* operation) {
        term.set_operator_(operation);
        skip();
        if (!take("(")) return refuse("has no list in parentheses behind " + quoted(term.key()));
        for (;;) {
            skip();
            TRY_VOID(value(term));
            if (term.values_size() > most_selector_terms)
                return refuse("has more than " + std::to_string(most_selector_terms) + " values for " + quoted(term.key()));
            skip();
            if (take(")")) return {};
            if (!take(",")) return refuse("has an unclosed list behind " + quoted(term.key()));
        }
    }

    Result<void> value(Requirement& term) {
        std::string_view text = word();
        if (!is_label_value(text)) return refuse("has " + quoted(text) + ", which no label's value can be,");
        term.add_values(std::string(text));
        return {};
    }

    std::string_view word() {
        std::string_view found = rest_.substr(0, std::min(rest_.find_first_of(" \t,()=!"), rest_.size()));
        rest_.remove_prefix(found.size());
        return found;
    }

    bool take(std::string_view token) {
        if (!rest_.starts_with(token)) return false;
        rest_.remove_prefix(token.size());
        return true;
    }

    void skip() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

    std::string_view rest_;
};

bool holds_for(const Requirement& term, const Labels& labels) {
    auto label = labels.find(term.key());
    bool exists = label != labels.end();
    bool among = exists && std::find(term.values().begin(), term.values().end(), label->second) != term.values().end();
    if (term.operator_() == "In") return among;
    if (term.operator_() == "NotIn") return !among;
    if (term.operator_() == "Exists") return exists;
    if (term.operator_() == "DoesNotExist") return !exists;
    return false;
}

} // namespace

Result<Selector> parse_label_selector(std::string_view text) {
    if (text.size() > longest_selector)
        return fail(Code::invalid, "the label selector is longer than " + std::to_string(longest_selector) + " bytes");
    return Parser(text).parse();
}

bool matches(const Selector& selector, const Labels& labels) {
    for (auto& [key, value] : selector.match_labels()) {
        auto label = labels.find(key);
        if (label == labels.end() || label->second != value) return false;
    }
    return std::all_of(selector.match_expressions().begin(), selector.match_expressions().end(),
                       [&](const Requirement& term) { return holds_for(term, labels); });
}

} // namespace skerry::model
