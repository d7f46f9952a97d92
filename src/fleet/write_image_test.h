#pragma once

#include "cell/writing.h"
#include "model/image.pb.h"

namespace skerry::fleet {

/// Tag 1 of Image default/pos.
inline void write_image(cell::Writing& writing) {
    model::Image image;
    image.mutable_metadata()->set_name("pos");
    image.mutable_metadata()->set_namespace_("default");
    image.mutable_spec()->add_tags()->set_name("1");
    image.mutable_spec()->mutable_tags(0)->set_digest("sha256:aa");
    writing.create(model::Kind::image, image);
}

} // namespace skerry::fleet
