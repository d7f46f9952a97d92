#include "drivers/network/address_book.h"

#include "base/check.h"
#include "base/json.h"

#include <algorithm>

namespace skerry::drivers::network {
namespace {

constexpr std::int64_t version = 1;

std::unexpected<Error> corrupt(const std::string& what) { return fail(Code::corrupt, "network.json: " + what); }

Result<std::uint16_t> port_in(const Json& item, std::string_view name) {
    const Json* found = item.find(name);
    const std::int64_t* number = found ? found->integer() : nullptr;
    if (!number || *number < 1 || *number > 65535) return corrupt("bad " + std::string(name));
    return static_cast<std::uint16_t>(*number);
}

Result<Entry> parse_entry(const Json& item) {
    Entry entry;
    auto address = os::parse_ipv4(item.text("address"));
    if (!address) return corrupt(address.error().message);
    entry.address = *address;
    entry.hostname = item.text("hostname");
    const Json* ports = item.find("ports");
    if (!ports || !ports->array_items()) return corrupt("an instance without \"ports\"");
    for (const Json& port : *ports->array_items()) {
        PublishedPort published{.host_port = TRY(port_in(port, "hostPort")), .port = TRY(port_in(port, "port"))};
        if (port.text("protocol") == "udp") published.protocol = PublishedPort::Protocol::udp;
        entry.ports.push_back(published);
    }
    return entry;
}

} // namespace

std::string_view name(PublishedPort::Protocol protocol) { return protocol == PublishedPort::Protocol::udp ? "udp" : "tcp"; }

Result<AddressBook> AddressBook::parse(std::string_view text) {
    auto parsed = parse_json(text);
    if (!parsed) return corrupt(parsed.error().message);
    const Json* stored = parsed->find("version");
    if (!stored || !stored->integer()) return corrupt("no version");
    if (*stored->integer() != version)
        return fail(Code::unsupported, "network.json: format version " + std::to_string(*stored->integer()) +
                                           ", this build reads " + std::to_string(version) +
                                           "; run the version of skerry that wrote it");
    AddressBook book;
    if (!parsed->text("subnet").empty()) {
        auto subnet = os::parse_subnet(parsed->text("subnet"));
        if (!subnet || subnet->bits > 29) return corrupt("bad subnet");
        book.subnet_ = *subnet;
    }
    if (const Json* next = parsed->find("next"); next && next->integer() && *next->integer() > 1 && *next->integer() < 65536)
        book.next_ = static_cast<std::uint32_t>(*next->integer());
    const Json* instances = parsed->find("instances");
    if (!instances || !instances->members()) return corrupt("no instances");
    for (const auto& [instance, item] : *instances->members()) {
        Entry entry = TRY(parse_entry(item));
        if (!book.subnet_ || !book.subnet_->contains(entry.address) || !book.is_free(entry.address))
            return corrupt("address " + os::text(entry.address) + " of instance " + instance +
                           " is outside the subnet or used twice");
        book.entries_.emplace(instance, std::move(entry));
    }
    return book;
}

std::string AddressBook::text() const {
    Json instances = Json::object();
    for (const auto& [instance, entry] : entries_) {
        Json ports = Json::array();
        for (const auto& port : entry.ports)
            ports.push(Json::object(
                {{"hostPort", int{port.host_port}}, {"port", int{port.port}}, {"protocol", network::name(port.protocol)}}));
        instances.set(instance,
                      Json::object({{"address", os::text(entry.address)}, {"hostname", entry.hostname}, {"ports", ports}}));
    }
    return write_json(Json::object({{"version", version},
                                    {"subnet", subnet_ ? os::text(*subnet_) : ""},
                                    {"next", static_cast<std::int64_t>(next_)},
                                    {"instances", instances}}),
                      Layout::indented);
}

os::Ipv4 AddressBook::gateway() const {
    CHECK(subnet_.has_value());
    return subnet_->at(1);
}

void AddressBook::move_to(os::Subnet subnet) {
    CHECK(subnet.bits <= 29);
    auto old = std::exchange(entries_, {});
    subnet_ = subnet;
    next_ = 2;
    for (auto& [instance, entry] : old) {
        Wish wish{.instance = instance, .hostname = entry.hostname, .ports = entry.ports};
        // What does not fit gets its address with its next wish, or hears that there is none.
        (void)assign(wish);
    }
}

const Entry* AddressBook::find(const InstanceName& instance) const {
    auto found = entries_.find(instance);
    return found == entries_.end() ? nullptr : &found->second;
}

bool AddressBook::is_free(os::Ipv4 address) const {
    return std::ranges::none_of(entries_, [&](const auto& one) { return one.second.address == address; });
}

Result<Entry> AddressBook::assign(const Wish& wish) {
    CHECK(subnet_.has_value());
    if (auto known = entries_.find(wish.instance); known != entries_.end()) {
        known->second.hostname = wish.hostname;
        known->second.ports = wish.ports;
        return known->second;
    }
    const std::uint32_t last = ~subnet_->mask(); // the broadcast address
    for (std::uint32_t tried = 0; tried < last; ++tried) {
        std::uint32_t offset = 2 + (next_ - 2 + tried) % (last - 2);
        if (!is_free(subnet_->at(offset))) continue;
        next_ = offset + 1;
        return entries_.emplace(wish.instance, Entry{subnet_->at(offset), wish.hostname, wish.ports}).first->second;
    }
    return fail(Code::exhausted,
                "network: all " + std::to_string(last - 2) + " addresses of " + os::text(*subnet_) + " are in use");
}

void AddressBook::remember(const InstanceName& instance, os::Ipv4 address) {
    if (entries_.contains(instance) || !subnet_ || !subnet_->contains(address) || !is_free(address)) return;
    entries_.emplace(instance, Entry{.address = address, .hostname = {}, .ports = {}});
}

const InstanceName* AddressBook::holder(const PublishedPort& wanted, const InstanceName& except) const {
    for (const auto& [instance, entry] : entries_)
        if (instance != except)
            for (const auto& port : entry.ports)
                if (port.host_port == wanted.host_port && port.protocol == wanted.protocol) return &instance;
    return nullptr;
}

Result<os::Subnet> choose_subnet(const std::vector<os::Subnet>& candidates, const std::vector<os::Subnet>& taken) {
    std::string tried;
    for (const auto& range : candidates) {
        tried += (tried.empty() ? "" : ", ") + os::text(range);
        int bits = std::max(range.bits, 24);
        std::uint32_t step = std::uint32_t{1} << (32 - bits);
        std::uint32_t count = std::uint32_t{1} << (bits - range.bits);
        for (std::uint32_t i = 0; i < count; ++i) {
            os::Subnet subnet{range.at(i * step), bits};
            if (std::ranges::none_of(taken, [&](const os::Subnet& other) { return subnet.overlaps(other); })) return subnet;
        }
    }
    return fail(Code::exhausted,
                "network: every candidate subnet (" + tried + ") overlaps a route of this machine; give one that is free");
}

} // namespace skerry::drivers::network
