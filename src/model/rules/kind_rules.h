#pragma once

#include "model/rules/problems.h"

/// Rules of single kinds, beyond what the schema's options say. Called by validate(); each adds what it finds.
namespace skerry::model {

class App;
class Config;
class Node;
class Override;
class Secret;
class Site;

void check(const App&, Problems&);
void check(const Site&, Problems&);
void check(const Node&, Problems&);
void check(const Secret&, Problems&);
void check(const Config&, Problems&);
void check(const Override&, Problems&);

} // namespace skerry::model
