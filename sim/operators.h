#pragma once

#include "cell/gate/admission.h"
#include "env/seeded_chance.h"
#include "model/app.pb.h"
#include "store/store.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace skerry::sim {

class Fleet;

/// An app as operators want it.
struct AppWish {
    std::string name;
    bool each = true;           ///< on every site of the tier, else spread
    std::string tier = "store"; ///< empty: every site
    std::uint32_t replicas = 1;
    std::uint32_t marker = 0;  ///< an argument of its command: each value is a different effective hash
    std::uint32_t image = 0;   ///< which tag
    std::uint16_t publish = 0; ///< 0: no port
    bool health = true;
    bool running = true;
    std::uint32_t label = 0; ///< changes nothing that runs
    std::string max_unavailable = "50%";
    std::string cpu = "100m";
    std::string policy = "keep"; ///< of its partition
    std::string replace_after;   ///< empty: not said
    std::string on_heal;
    bool halted = false;
    bool by_digest = false; ///< names its image by digest, as where no Image is known
};

/// Who operates, and the App of a wish.
trust::Identity people();
std::unique_ptr<model::App> app_of(const AppWish&, bool newer = false);

/// People at the core: they deploy, scale, update, stop and delete apps through admission, and write down what was acknowledged.
class Operators {
public:
    explicit Operators(Fleet& fleet) : fleet_(fleet) {}

    /// Makes the image with all its tags. Repeated until acknowledged.
    void push_image();
    /// Creates it, or updates the one there is. Repeated until acknowledged, however often the core dies.
    void apply(const AppWish&);
    void remove(const std::string& name);
    /// Of the app's newest revision: that it must start nowhere any more. Repeated until acknowledged.
    void revoke(const std::string& name);
    /// What is wanted is asked for again, and what is not wanted and there is removed.
    void look_again();
    /// One thing that people do.
    void do_something(env::Chance&);
    /// Is anything still not acknowledged?
    bool busy() const { return !busy_.empty(); }

    /// What is wanted, as last asked for.
    const std::map<std::string, AppWish>& wishes() const { return wishes_; }

    /// What was acknowledged of an app that is not to be deleted.
    struct Acknowledged {
        std::string uid;
        std::uint32_t generation = 0;
        std::string spec; ///< serialised, of that generation
    };
    const std::map<std::string, Acknowledged>& acknowledged() const { return acknowledged_; }

    /// Of each app that was ever wanted with policy atMostOnce: how many may run at once, of each allocation where it is wanted
    /// on each site, else in the fleet.
    struct Once {
        bool each = true;
        std::uint32_t most = 0;
    };
    const std::map<std::string, Once>& once() const { return once_; }

    static constexpr const char* project = "default";
    static constexpr std::uint32_t tags = 4;
    static constexpr int unknown_field = 15'000; ///< of Apps and components, where the core is newer
    static std::string digest(std::uint32_t tag);
    std::size_t most_apps = 6;

private:
    void again(std::function<void()>);
    void write(const std::string& name, std::uint64_t ticket);
    void erase(const std::string& name, std::uint64_t ticket);
    void revoke_revision(const std::string& revision);

    Fleet& fleet_;
    std::map<std::string, AppWish> wishes_;
    std::map<std::string, Acknowledged> acknowledged_;
    std::map<std::string, Once> once_;
    std::map<std::string, std::uint64_t> busy_; ///< by name: the newest ticket
    std::uint64_t tickets_ = 0;
    std::uint32_t made_ = 0;
    bool image_there_ = false;
};

} // namespace skerry::sim
