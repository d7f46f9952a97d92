#pragma once

#include "base/result.h"
#include "oci/descriptor.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::oci {

/// One image for one platform: its config and its layers, lowest first.
struct Manifest {
    std::string media_type;
    Descriptor config;
    std::vector<Descriptor> layers;
    std::map<std::string, std::string> annotations;
};

/// Images of several platforms under one digest.
struct Index {
    std::string media_type;
    std::vector<Descriptor> manifests;
    std::map<std::string, std::string> annotations;
};

inline constexpr std::size_t max_layers = 500;
inline constexpr std::size_t max_manifests = 1000;

/// OCI image manifest or Docker manifest schema 2; schema 1, artifacts and indexes are refused by name.
Result<Manifest> parse_manifest(std::string_view bytes);
/// OCI image index or Docker manifest list.
Result<Index> parse_index(std::string_view bytes);

/// What a document is, by its own `mediaType` or, where that is absent, by its members.
enum class Document { index, manifest };
Result<Document> document_kind(std::string_view bytes);

/// Compact JSON, members in a fixed order: the same value always gives the same digest.
std::string write_manifest(const Manifest&);
std::string write_index(const Index&);

/// The manifest in the index that runs best on `host`. `not_found` lists the platforms that there are.
Result<Descriptor> choose(const Index&, const Platform& host);

} // namespace skerry::oci
