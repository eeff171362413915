#pragma once

#include <string>
#include <string_view>

namespace cabinetfs::sandbox::kiteworks {

struct Settings;

// The form in which two names of a folder are the same name: simple lower case, no Unicode
// normalisation.
std::string fold_name(std::string_view name);

// Why the server refuses the name: an ERR_INPUT_* code, or null if it is good.
const char* name_error(std::string_view name, const Settings& settings);

// "report.tar.gz" -> "gz", in lower case; empty if there is none.
std::string extension_of(std::string_view name);
std::string mime_of(std::string_view name);

// "a.txt" -> "a (2).txt".
std::string numbered_name(const std::string& name, int number);

}  // namespace cabinetfs::sandbox::kiteworks
