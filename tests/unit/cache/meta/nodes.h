#pragma once

#include <memory>
#include <string>

#include "cache/node_record.h"

namespace cabinetfs {

class Sealer;

std::unique_ptr<Sealer> test_sealer();

// A file that this mount shows as the server has it, with what a server usually tells.
NodeRecord clean_node(std::uint64_t ino, std::uint64_t parent, const std::string& name);

// Every field, those that operator== leaves out too.
void expect_same(const NodeRecord& a, const NodeRecord& b);

}  // namespace cabinetfs
