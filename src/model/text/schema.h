#pragma once

#include "base/json.h"

#include <memory>
#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
} // namespace google::protobuf

namespace skerry::model {

/// The descriptor set of all .proto files with their comments, embedded by the build.
extern const std::string_view schema_bytes;

/// The comments of the schema. Decoded when made (some hundred kilobytes), so make one, write the documents, drop it.
class SchemaText {
public:
    SchemaText();
    ~SchemaText();
    SchemaText(SchemaText&&) noexcept;
    SchemaText& operator=(SchemaText&&) noexcept;

    /// Empty where there is none.
    std::string of(const google::protobuf::Descriptor*) const;
    std::string of(const google::protobuf::FieldDescriptor*) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// "skerry.v1.App": name of a message's definition.
std::string definition_name(const google::protobuf::Descriptor*);

/// JSON Schema (as OpenAPI 3.0 knows it) of one message: properties with descriptions, formats, enums, bounds, required.
/// Submessages are references `{"$ref": prefix + definition_name}`. Kinds have apiVersion and kind too.
Json json_schema(const google::protobuf::Descriptor*, const SchemaText&, std::string_view prefix);

/// definition_name → json_schema of every kind and everything they reach. `prefix` such as "#/components/schemas/".
Json schema_definitions(const SchemaText&, std::string_view prefix);

} // namespace skerry::model
