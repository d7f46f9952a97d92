#include "model/bytes.h"

#include "model/app.pb.h"
#include "model/meta.pb.h"

#include <gtest/gtest.h>

#include <string>

namespace skerry::model {
namespace {

TEST(Bytes, EntriesOfMapsHaveOneOrder) {
    App there, back;
    for (int n = 0; n < 30; ++n)
        (*there.mutable_metadata()->mutable_labels())["label-" + std::to_string(n)] = "v" + std::to_string(n);
    for (int n = 29; n >= 0; --n)
        (*back.mutable_metadata()->mutable_labels())["label-" + std::to_string(n)] = "v" + std::to_string(n);
    std::string bytes = bytes_of(there);
    EXPECT_EQ(bytes_of(back), bytes);
    App read;
    ASSERT_TRUE(read.ParseFromString(bytes));
    EXPECT_EQ(bytes_of(read), bytes);
    EXPECT_EQ(read.metadata().labels().size(), 30u);
}

} // namespace
} // namespace skerry::model
