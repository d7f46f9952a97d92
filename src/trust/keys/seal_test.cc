#include "trust/keys/seal.h"

#include "trust/trust_test_fleet.h"

namespace skerry::trust {

namespace {

struct Sealed {
    std::string key = make_key().value(), point;
    std::vector<std::string> pieces;

    explicit Sealed(std::string_view context = "about") {
        auto sealing = Sealing::to(public_key(key).value()).value();
        EXPECT_TRUE(sealing.begin(context));
        point = sealing.point();
        for (const char* text : {"one", "two", ""}) pieces.push_back(sealing.seal(text, false).value());
        pieces.push_back(sealing.seal("last", true).value());
    }
    Unsealing unsealing(std::string_view context = "about") const { return Unsealing::with(key, point, context).value(); }
};

TEST(Seal, ComesOutAsItWentIn) {
    Sealed sealed;
    auto opening = sealed.unsealing();
    EXPECT_EQ(opening.open(sealed.pieces[0], false).value(), "one");
    EXPECT_EQ(opening.open(sealed.pieces[1], false).value(), "two");
    EXPECT_EQ(opening.open(sealed.pieces[2], false).value(), "");
    EXPECT_EQ(opening.open(sealed.pieces[3], true).value(), "last");
    EXPECT_FALSE(opening.open(sealed.pieces[3], true)) << "nothing behind the last";
}

TEST(Seal, ToTheKeyOfACertificateToo) {
    Fleet fleet;
    auto sealing = Sealing::to(fleet.root.certificate_pem()).value();
    ASSERT_TRUE(sealing.begin("x"));
    std::string piece = sealing.seal("text", true).value();
    EXPECT_EQ(Unsealing::with(fleet.root.key_pem(), sealing.point(), "x")->open(piece, true).value(), "text");
}

TEST(Seal, AnythingElseDoesNotOpen) {
    Sealed sealed;
    EXPECT_FALSE(sealed.unsealing("another context").open(sealed.pieces[0], false));
    EXPECT_FALSE(Unsealing::with(make_key().value(), sealed.point, "about")->open(sealed.pieces[0], false)) << "another receiver";
    EXPECT_FALSE(sealed.unsealing().open(sealed.pieces[1], false)) << "out of order";
    EXPECT_FALSE(sealed.unsealing().open(sealed.pieces[0], true)) << "the end moved";
    auto opening = sealed.unsealing();
    ASSERT_TRUE(opening.open(sealed.pieces[0], false));
    EXPECT_FALSE(opening.open(sealed.pieces[0], false)) << "twice";
    for (std::size_t n = 0; n < sealed.pieces[0].size(); ++n) {
        std::string changed = sealed.pieces[0];
        changed[n] = static_cast<char>(changed[n] ^ 1);
        auto opened = sealed.unsealing().open(changed, false);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, Code::corrupt);
        EXPECT_FALSE(sealed.unsealing().open(sealed.pieces[0].substr(0, n), false)) << "shorter";
    }
    EXPECT_EQ(Unsealing::with(sealed.key, std::string(65, '\4'), "about").error().code, Code::invalid) << "no point of the curve";
    EXPECT_EQ(Unsealing::with(sealed.key, "", "about").error().code, Code::invalid);
    EXPECT_FALSE(Sealing::to("-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n"));
}

} // namespace

} // namespace skerry::trust
