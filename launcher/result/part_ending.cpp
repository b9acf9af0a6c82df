#include "part_ending.hpp"

#include <exception>
#include <system_error>

#include "barrier/linux/cancellation.hpp"

namespace syncspawn::detail {

PartEnding ending_of(const ParentPart& part, ParentSide& side) {
    try {
        return {part(side)};
    } catch (const std::system_error& exception) {
        return {exception.code(), exception.what()};
    } catch (const std::exception& exception) {
        return {{}, exception.what()};
    } catch (const EndOfThread&) {  // its launch ends with it
        throw;
    } catch (...) {
        return {{}, "not a std::exception"};
    }
}

std::string in_words(const PartEnding& ending, const FailureSlot& slot) {
    if (ending.exception) {
        return *ending.exception;
    }
    const std::string call = slot.text;
    return (call.empty() ? "" : call + ": ") + ending.error.message();
}

}  // namespace syncspawn::detail
