#pragma once

#include <string>
#include <string_view>

namespace cabinetfs::sandbox::kenesto {

struct Settings;

// Why the server refuses the name of a folder or document; empty if it is good.
std::string name_error(std::string_view name, const Settings& settings);

// As the server stores it: with the setting `name_rules` "trim", blanks around it and dots after it
// go away without a word.
std::string stored_name(std::string_view name, const Settings& settings);

// Lower case; empty if it is not a GUID.
std::string parse_guid(std::string_view text);

}  // namespace cabinetfs::sandbox::kenesto
