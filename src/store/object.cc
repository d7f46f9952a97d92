#include "store/object.h"

#include "base/check.h"

#include <google/protobuf/message.h>

#include <array>

namespace skerry::store {

std::string Key::text() const {
    const model::KindFacts* kind_facts = model::find_kind(static_cast<std::uint32_t>(kind));
    std::string text = kind_facts ? std::string(kind_facts->name) : "kind " + std::to_string(static_cast<unsigned>(kind));
    text += ' ';
    if (!project.empty()) text += project + '/';
    return text += name;
}

Object::Object(const Object& other)
    : key(other.key), uid(other.uid), home(other.home), generation(other.generation), wish(other.wish), found(other.found),
      seen(other.seen) {}

Object& Object::operator=(const Object& other) {
    if (this == &other) return *this;
    key = other.key;
    uid = other.uid;
    home = other.home;
    generation = other.generation;
    wish = other.wish;
    found = other.found;
    seen = other.seen;
    decoded_.reset();
    return *this;
}

Object::~Object() = default;

namespace {

constexpr std::array parts = {Part::wish, Part::found, Part::seen};

std::shared_ptr<const google::protobuf::Message> decode(const Object& object) {
    const google::protobuf::Message* prototype =
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(model::facts(object.key.kind).descriptor);
    CHECK(prototype, "every kind has a generated message");
    std::shared_ptr<google::protobuf::Message> whole(prototype->New());
    for (Part part : parts) {
        const Blob& bytes = object.part(part).bytes;
        if (!bytes || bytes->empty()) continue;
        // A part that breaks off halfway must leave no trace, so it is read apart before it is merged.
        if (part == Part::wish) {
            if (!whole->ParseFromString(*bytes)) whole->Clear();
            continue;
        }
        const auto* status = prototype->GetDescriptor()->FindFieldByName("status");
        std::unique_ptr<google::protobuf::Message> alone(prototype->New());
        if (!status || !alone->ParseFromString(*bytes) || !alone->GetReflection()->HasField(*alone, status)) continue;
        // Whatever else it has set is not its to say: a status must not change what is wished.
        whole->GetReflection()
            ->MutableMessage(whole.get(), status)
            ->MergeFrom(alone->GetReflection()->GetMessage(*alone, status));
    }
    return whole;
}

} // namespace

const google::protobuf::Message& Object::message() const {
    if (!decoded_) decoded_ = decode(*this);
    return *decoded_;
}

} // namespace skerry::store
