#pragma once

#include "cell/cell.h"

#include <google/protobuf/message_lite.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace skerry::cell {

/// What one loop writes: wishes whose home is this cell.
///
/// The store shows only what is durable, so a loop that turned again while its writes are on their way would plan them a second
/// time. Hence `begin`: false until they have landed, and the loop is woken then. It is false also while the cell recovers: what
/// seems to be missing may be on its way back (rule H3).
class Writing {
public:
    Writing(Cell&, std::string_view loop);
    ~Writing();
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

    bool begin();

    /// A new object, absent so far; `message` has name, namespace and labels in its metadata. The rest of it is filled in.
    Uid create(model::Kind, google::protobuf::Message& message);
    /// The next generation of an object, if nobody changed it in between. `wish` is its wish part with the changes made.
    /// `seen`: a generation of it that a peer showed, which the next one has to be above (rule H3).
    void update(const store::Object& before, google::protobuf::Message& wish, std::uint32_t seen = 0);
    /// Nothing while this cell lacks wishes (rule H3); a later turn asks again.
    void erase(const store::Object&);
    /// A note of the cell, in one transaction with what is written next.
    void note(std::string_view space, std::string_view key, std::string bytes);
    void erase_note(std::string_view space, std::string_view key);
    /// The next fencing number (rule H4), for what is written next.
    model::Epoch next_epoch();
    /// All epochs from here on are above `seen`, the highest term that any peer showed (rule H4).
    void raise_term(std::uint32_t seen);
    /// Sends everything since `begin`; each 128 objects or 1 MiB are one transaction (rule S4), in the order of writing. `done`,
    /// if given, learns of the first error once all have landed. What fails is planned again by a later turn.
    void end(std::function<void(Result<void>)> done = {});

private:
    struct State;
    store::Transaction& room(std::size_t bytes);
    void send();

    Cell& cell_;
    std::string loop_;
    std::optional<store::Transaction> open_;
    std::shared_ptr<State> state_;
};

/// The wish part alone, decoded: what `update` wants changed.
template<class M>
M wish_of(const store::Object& object) {
    M message;
    if (object.wish.bytes) message.ParseFromString(*object.wish.bytes);
    return message;
}

/// The found or seen part alone; empty where there is none.
template<class M>
M part_of(const store::Object& object, store::Part part) {
    M message;
    if (object.part(part).bytes) message.ParseFromString(*object.part(part).bytes);
    return message;
}

/// Reports a part decided here; equal bytes change nothing. An object that went away meanwhile is fine.
void report_part(store::Store&, const store::Object&, store::Part, const google::protobuf::MessageLite&);

} // namespace skerry::cell
