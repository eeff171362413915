#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/model/model_runs.h"

namespace cabinetfs {

// Ends a program whose environment asks for a world that it does not have, whatever the filter:
// plays on none would look like plays in which nothing went wrong.
class KnownWorlds final : public testing::Environment {
 public:
  explicit KnownWorlds(std::vector<ModelWorld> known) : known_(std::move(known)) {}
  void SetUp() override {
    const std::string wrong = unknown_world(known_);
    if (!wrong.empty()) FAIL() << wrong;
  }

 private:
  std::vector<ModelWorld> known_;
};

}  // namespace cabinetfs
