#include <syncspawn/launcher/detail/loaded_object.hpp>

#include <link.h>

#include <cstddef>
#include <cstdint>

namespace syncspawn::detail {
namespace {

using Address = std::uintptr_t;
constexpr std::size_t word = sizeof(Address);

// A program's data may hold what others sent it, made to look like a virtual table: those, and what they
// point to, stand where nobody writes. That is also what the loader protects behind its relocations.
enum class Memory { any, constant };

bool is_of(Memory memory, const ElfW(Phdr) & segment) noexcept {
    const bool may_be_read = (segment.p_flags & PF_R) != 0;
    const bool is_fixed = segment.p_type == PT_LOAD && (segment.p_flags & PF_W) == 0;
    return may_be_read && (memory == Memory::any ? segment.p_type == PT_LOAD
                                                 : is_fixed || segment.p_type == PT_GNU_RELRO);
}

// Whether these bytes are readable memory of an object that is loaded in this process.
bool is_loaded(Address begin, std::size_t size, Memory memory) noexcept {
    struct Wanted {
        Address begin;
        std::size_t size;
        Memory memory;
    } wanted{begin, size, memory};
    const auto holds = [](dl_phdr_info* object, std::size_t, void* argument) -> int {
        const auto& [from, bytes, where] = *static_cast<const Wanted*>(argument);
        for (int index = 0; index < object->dlpi_phnum; ++index) {
            const ElfW(Phdr)& segment = object->dlpi_phdr[index];
            const Address start = object->dlpi_addr + segment.p_vaddr;
            if (is_of(where, segment) && from >= start && bytes <= segment.p_memsz &&
                from - start <= segment.p_memsz - bytes) {
                return 1;
            }
        }
        return 0;
    };
    return begin % word == 0 && dl_iterate_phdr(holds, &wanted) != 0;
}

// The word there, or 0 if there is none. An address sanitizer minds: between a program's variables it has
// memory of its own.
[[gnu::no_sanitize_address]] Address word_at(Address address, Memory memory) noexcept {
    if (!is_loaded(address, word, memory)) {
        return 0;
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it was looked up
    return *reinterpret_cast<const volatile Address*>(address);
}

// As the C++ ABI for all our processors lays them out. An object begins with the address of its virtual
// table, and the two words before that are the offset to the whole object and the address of the type's
// description. That of a class with a single base: its own virtual table, a name, the base's description.
struct Base {
    virtual ~Base() = default;
};
struct Derived : Base {};

bool is_derived(Address type, const std::type_info& base) noexcept {
    constexpr int deepest = 16;
    const Address without_base = word_at(reinterpret_cast<Address>(&typeid(Base)), Memory::any);
    const Address with_one_base = word_at(reinterpret_cast<Address>(&typeid(Derived)), Memory::any);
    for (int depth = 0; depth < deepest; ++depth) {
        const Address kind = word_at(type, Memory::constant);
        if (kind == 0 || (kind != without_base && kind != with_one_base)) {
            return false;
        }
        // NOLINTNEXTLINE(performance-no-int-to-ptr): that is what it is
        if (*reinterpret_cast<const std::type_info*>(type) == base) {
            return true;
        }
        if (kind == without_base) {
            return false;
        }
        type = word_at(type + 2 * word, Memory::constant);
    }
    return false;
}

}  // namespace

bool is_loaded_object(const void* place, const std::type_info& base) noexcept {
    const Address table = word_at(reinterpret_cast<Address>(place), Memory::any);
    return table > 2 * word && is_loaded(table - 2 * word, 2 * word, Memory::constant) &&
           word_at(table - 2 * word, Memory::constant) == 0 &&
           is_derived(word_at(table - word, Memory::constant), base);
}

}  // namespace syncspawn::detail
