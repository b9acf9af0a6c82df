#pragma once

#include <typeinfo>

#include <syncspawn/barrier/visibility.h>

namespace syncspawn::detail {

// Whether there certainly is an object at this address, which came from somebody who is not trusted, that
// is of `base` or of a class derived from it: in the memory of an object file that is loaded in this
// process, with the virtual table of such a class in memory that nobody writes, as the run-time type
// information says. So it is for static objects; others, those of classes with several bases, and those of
// object files that are linked with -z norelro, are not known for certain. Reads nothing that is not there.
SYNCSPAWN_API bool is_loaded_object(const void* place, const std::type_info& base) noexcept;

}  // namespace syncspawn::detail
