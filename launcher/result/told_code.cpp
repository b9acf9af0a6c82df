#include "told_code.hpp"

#include <cerrno>
#include <cstring>
#include <typeinfo>

#include <syncspawn/launcher/detail/loaded_object.hpp>

namespace syncspawn::detail {
namespace {

std::string text_of(const char* text, std::size_t size) { return {text, strnlen(text, size)}; }

}  // namespace

ToldCode told_code(const FailureSlot& slot) {
    ToldCode told{.error = slot.error != 0 ? slot.error : ECANCELED,
                  .detail = text_of(slot.text, sizeof slot.text)};
    if (slot.category == nullptr || slot.category == &std::generic_category()) {
        return told;
    }
    if (slot.category == &std::system_category()) {
        told.code = std::error_code(told.error, std::system_category());
        return told;
    }
    told.error = ECANCELED;
    if (is_loaded_object(slot.category, typeid(std::error_category))) {
        told.code = std::error_code(slot.error, *slot.category);
    } else if (told.detail.empty()) {
        told.detail = text_of(slot.category_name, sizeof slot.category_name) + " error " +
                      std::to_string(slot.error);
    }
    return told;
}

}  // namespace syncspawn::detail
