#include "drivers/network/bridge_network.h"

#include "base/log.h"
#include "drivers/network/nameservers.h"
#include "os/files.h"
#include "os/netns.h"
#include "os/nft.h"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

namespace skerry::drivers::network {
namespace {

Result<void> check_instance(const InstanceName& instance) {
    static constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (instance.empty() || instance.size() > 100 || instance.front() == '.' ||
        instance.find_first_not_of(allowed) != std::string::npos)
        return fail(Code::invalid,
                    "network: instance \"" + instance.substr(0, 100) + "\": 1 to 100 letters, digits, '-', '_' or '.'");
    return {};
}

} // namespace

Result<void> check_prefix(const std::string& prefix) {
    bool good = !prefix.empty() && prefix.size() <= 10 && prefix.front() >= 'a' && prefix.front() <= 'z' &&
                prefix.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (!good)
        return fail(Code::invalid, "network: prefix \"" + prefix.substr(0, 32) +
                                       "\": a small letter, then up to nine small letters, digits or '_'");
    return {};
}

BridgeNetwork::BridgeNetwork(Options options, std::vector<os::Subnet> candidates)
    : options_(std::move(options)), candidates_(std::move(candidates)), names_{options_.prefix} {}

Result<std::unique_ptr<BridgeNetwork>> BridgeNetwork::make(Options options) {
    TRY_VOID(check_prefix(options.prefix));
    std::vector<os::Subnet> candidates;
    for (const auto& text : options.candidates) {
        auto subnet = os::parse_subnet(text);
        if (!subnet) return std::unexpected(subnet.error());
        if (subnet->bits < 8 || subnet->bits > 28)
            return fail(Code::invalid, "network: candidate " + text + ": give a prefix length from 8 to 28");
        candidates.push_back(*subnet);
    }
    return std::unique_ptr<BridgeNetwork>(new BridgeNetwork(std::move(options), std::move(candidates)));
}

Result<void> BridgeNetwork::probe() {
    if (::geteuid() != 0) return fail(Code::forbidden, "network: making links and namespaces needs root (run skerry with sudo)");
    TRY_VOID(os::mkdirs(options_.run_folder));
    std::string scratch = options_.run_folder + "/probe-netns";
    TRY_VOID(os::remove_netns(scratch));
    TRY_VOID(os::make_netns(scratch) | during("network: this kernel makes no network namespace"));
    auto tried = os::in_netns(scratch, [&]() -> Result<void> {
        os::Rtnl rtnl = TRY(os::Rtnl::open());
        TRY_VOID(rtnl.add_bridge(names_.bridge(), {2, 0, 0, 0, 0, 1}) |
                 during("network: this kernel makes no bridge (try: modprobe bridge)"));
        TRY_VOID(rtnl.add_veth("probe0", "probe1") | during("network: this kernel makes no veth pair (try: modprobe veth)"));
        AddressBook book;
        book.move_to({{0x0ad50000}, 24});
        TRY(book.assign({.instance = "probe", .hostname = {}, .ports = {{.host_port = 1, .port = 1}}}));
        return os::apply_nft(own_table(names_, book)) |
               during("network: nftables with NAT does not work here (try: apt-get install nftables; modprobe -a nft_chain_nat "
                      "nft_masq nft_fib_ipv4)");
    });
    TRY_VOID(os::remove_netns(scratch));
    return tried;
}

Result<void> BridgeNetwork::load() {
    if (book_) return {};
    TRY_VOID(os::mkdirs(options_.state_folder));
    std::string path = options_.state_folder + "/network.json";
    auto text = os::read_file(path, 64 << 20);
    if (!text && text.error().code == Code::not_found) {
        book_.emplace();
        return {};
    }
    if (!text) return std::unexpected(text.error());
    auto parsed = AddressBook::parse(*text);
    if (!parsed && parsed.error().code == Code::corrupt) {
        // What lives is found again by its links, and instances bring their ports with their next wish.
        log(Level::error, "network", "{}: {}; kept as {}.corrupt, going on with what runs", path, parsed.error().message, path);
        TRY_VOID(os::rename(path, path + ".corrupt"));
        book_.emplace();
        return {};
    }
    book_ = TRY(std::move(parsed));
    return {};
}

Result<void> BridgeNetwork::save(const AddressBook& book) {
    if (book_ && *book_ == book) return {};
    TRY_VOID(step("save"));
    TRY_VOID(os::write_file_atomically(options_.state_folder + "/network.json", book.text()));
    book_ = book;
    return {};
}

Result<std::vector<InstanceName>> BridgeNetwork::namespaces() const {
    auto names = os::list(netns_folder());
    if (!names && names.error().code == Code::not_found) return std::vector<InstanceName>{};
    return names;
}

Result<std::vector<InstanceName>> BridgeNetwork::adopt(std::span<const InstanceName> wanted) {
    for (const auto& instance : wanted) TRY_VOID(check_instance(instance));
    book_.reset();
    shared_ready_ = false;
    TRY_VOID(load());
    auto is_wanted = [&](const InstanceName& instance) { return std::ranges::find(wanted, instance) != wanted.end(); };

    std::vector<InstanceName> live;
    for (const auto& instance : TRY(namespaces()))
        if (is_wanted(instance) && TRY(os::is_netns(netns(instance)))) live.push_back(instance);
    TRY_VOID(recover_addresses(live));
    std::erase_if(live, [&](const InstanceName& instance) { return !book_->find(instance); });

    for (const auto& instance : TRY(namespaces()))
        if (std::ranges::find(live, instance) == live.end()) TRY_VOID(take_down(instance));
    AddressBook kept = *book_;
    for (const auto& [instance, entry] : book_->entries())
        if (!is_wanted(instance)) kept.release(instance);
    TRY_VOID(save(kept));

    TRY_VOID(ensure_shared(!live.empty()));
    TRY_VOID(remove_stale_links());
    for (const auto& instance : live)
        TRY_VOID(wire(instance, *book_->find(instance)) | during("network of instance " + instance));
    TRY_VOID(apply_rules(*book_, true));
    return live;
}

Result<Attachment> BridgeNetwork::connect(const Wish& wish) {
    TRY_VOID(check_instance(wish.instance));
    TRY_VOID(load());
    bool is_live = book_->find(wish.instance) && TRY(os::is_netns(netns(wish.instance)));
    std::optional<Json::Array> chains;
    TRY_VOID(check_ports(wish, is_live, chains));
    if (!shared_ready_) {
        bool anyone = false;
        for (const auto& instance : TRY(namespaces())) anyone = anyone || TRY(os::is_netns(netns(instance)));
        TRY_VOID(ensure_shared(anyone));
    }
    AddressBook wanted = *book_;
    Entry entry = TRY(wanted.assign(wish));
    TRY_VOID(save(wanted));
    TRY_VOID(step("namespace"));
    TRY_VOID(os::mkdirs(netns_folder(), 0755));
    TRY_VOID(os::make_netns(netns(wish.instance)));
    TRY_VOID(wire(wish.instance, entry) | during("network of instance " + wish.instance));
    TRY_VOID(apply_rules(*book_, false, chains));
    return Attachment{.netns = netns(wish.instance),
                      .tap = {},
                      .address = os::text(entry.address) + "/" + std::to_string(book_->subnet()->bits),
                      .gateway = os::text(book_->gateway()),
                      .nameservers = nameservers_of(options_.resolv_files)};
}

Result<void> BridgeNetwork::disconnect(const InstanceName& instance) {
    TRY_VOID(check_instance(instance));
    TRY_VOID(load());
    return take_down(instance) | during("network of instance " + instance);
}

Result<void> BridgeNetwork::take_down(const InstanceName& instance) {
    AddressBook without = *book_;
    without.release(instance);
    // Before anyone asked for the shared part there are no rules of this process to keep in step; adopt writes them at its end.
    if (without.subnet() && shared_ready_) TRY_VOID(apply_rules(without, false));
    if (const Entry* entry = book_->find(instance)) {
        TRY_VOID(step("unlink"));
        os::Rtnl here = TRY(os::Rtnl::open());
        TRY_VOID(here.remove_link(names_.veth(entry->address)));
    }
    if (TRY(os::is_netns(netns(instance)))) {
        // Whatever still holds the namespace open shall not keep the link.
        os::Rtnl there = TRY(os::Rtnl::open_in(netns(instance)));
        TRY_VOID(there.remove_link("eth0"));
    }
    TRY_VOID(step("remove namespace"));
    TRY_VOID(os::remove_netns(netns(instance)));
    return save(without);
}

Result<void> BridgeNetwork::reset() {
    TRY_VOID(open_foreign_chains(Opening::unwanted, TRY(os::list_nft({"chains"}))));
    TRY_VOID(step("remove rules"));
    TRY_VOID(os::apply_nft(remove_own_table(names_)));
    applied_.clear();
    shared_ready_ = false;
    os::Rtnl here = TRY(os::Rtnl::open());
    for (const auto& link : TRY(here.links()))
        if (link.kind == "veth" && names_.is_veth(link.name)) TRY_VOID(here.remove_link(link.name));
    TRY_VOID(step("remove bridge"));
    auto bridge = here.link(names_.bridge());
    if (bridge && bridge->kind == "bridge") TRY_VOID(here.remove_link(names_.bridge()));
    for (const auto& instance : TRY(namespaces())) {
        TRY_VOID(step("remove namespace"));
        TRY_VOID(os::remove_netns(netns(instance)));
    }
    TRY_VOID(os::remove_netns(options_.run_folder + "/probe-netns"));
    TRY_VOID(os::rmdir(netns_folder()));
    TRY_VOID(os::unlink(options_.state_folder + "/network.json"));
    TRY_VOID(os::unlink(options_.state_folder + "/network.json.corrupt"));
    TRY_VOID(os::unlink(options_.state_folder + "/network.json.tmp"));
    book_.reset();
    return {};
}

} // namespace skerry::drivers::network
