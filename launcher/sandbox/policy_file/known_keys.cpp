#include "known_keys.hpp"

#include "fields.hpp"
#include "nearest_word.hpp"

namespace syncspawn::sandbox {
namespace {

// Looks for the table that has a key.
class TableSearch {
public:
    explicit TableSearch(std::string_view key) : key_(key) {}

    template <class Member>
    void operator()(std::string_view key, Member) {
        if (key == key_ && found_.empty()) {
            found_ = at_.empty() ? "above the first table" : "in " + at_;
        }
    }
    template <class Member>
    void size(std::string_view key, Member member) {
        (*this)(key, member);
    }
    template <class Member>
    void required(std::string_view key, Member member) {
        (*this)(key, member);
    }
    template <class Member, class Section>
    void table(std::string_view key, Member Section::*) {
        at_ = "[" + std::string(key) + "]";
        visit_fields(*this, static_cast<const Member*>(nullptr));
    }
    template <class Member, class Section>
    void tables(std::string_view key, std::vector<Member> Section::*) {
        at_ = "[[" + std::string(key) + "]]";
        visit_fields(*this, static_cast<const Member*>(nullptr));
    }
    [[nodiscard]] const std::string& found() const noexcept { return found_; }

private:
    std::string_view key_;
    std::string at_;
    std::string found_;
};

}  // namespace

std::string advice_on_key(std::string_view key, const std::vector<std::string_view>& known_here) {
    TableSearch search(key);
    visit_fields(search, static_cast<const Policy*>(nullptr));
    if (!search.found().empty()) {
        return "it belongs " + search.found();
    }
    const std::string_view meant = nearest_word(key, known_here);
    if (!meant.empty()) {
        return "do you mean '" + std::string(meant) + "'?";
    }
    std::string all;
    for (const std::string_view known : known_here) {
        all += (all.empty() ? "" : ", ") + std::string(known);
    }
    return "here are: " + all;
}

}  // namespace syncspawn::sandbox
