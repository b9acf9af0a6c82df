#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <syncspawn/sandbox/policy_file.hpp>

#include "fields.hpp"
#include "known_keys.hpp"
#include "toml.hpp"  // compiled here, and nowhere else
#include "value.hpp"

namespace syncspawn::sandbox {
namespace {

// Reads the fields of one table.
template <class Section>
class Reader {
public:
    Reader(const toml::table& table, std::string path, Section& target, Complaints& complaints)
        : table_(table), path_(std::move(path)), target_(target), complaints_(complaints) {
        visit_fields(*this, static_cast<const Section*>(nullptr));
        complain_of_unknown_keys();
    }

    template <class Member>
    void operator()(std::string_view key, Member Section::*member) {
        if (const toml::node* const node = take(key)) {
            Value(*node, path_to(key), complaints_).read(target_.*member);
        }
    }
    template <class Member>
    void required(std::string_view key, Member Section::*member) {
        (*this)(key, member);
        if (!table_.contains(key)) {
            complaints_.add(table_.source(), path_to(key), "is missing");
        }
    }
    void size(std::string_view key, std::optional<std::uint64_t> Section::*member) {
        if (const toml::node* const node = take(key)) {
            Value(*node, path_to(key), complaints_).read_size(target_.*member);
        }
    }
    template <class Member>
    void table(std::string_view key, Member Section::*member) {
        if (const toml::node* const node = take(key)) {
            read_table(*node, key, "[" + std::string(key) + "]", target_.*member);
        }
    }
    template <class Member>
    void tables(std::string_view key, std::vector<Member> Section::*member) {
        const toml::node* const node = take(key);
        const std::string heading = "[[" + std::string(key) + "]]";
        const toml::array* const entries = node != nullptr ? node->as_array() : nullptr;
        if (node != nullptr && entries == nullptr) {
            complain_of_kind(*node, key, heading);
        } else if (entries != nullptr) {
            for (const toml::node& entry : *entries) {
                read_table(entry, key, heading, (target_.*member).emplace_back());
            }
        }
    }

private:
    const toml::node* take(std::string_view key) {
        known_.push_back(key);
        return table_.get(key);
    }
    template <class Member>
    void read_table(const toml::node& node, std::string_view key, const std::string& heading,
                    Member& target) {
        if (const toml::table* const table = node.as_table()) {
            const Reader<Member> reader(*table, path_to(key), target, complaints_);
        } else {
            complain_of_kind(node, key, heading);
        }
    }
    void complain_of_kind(const toml::node& node, std::string_view key,
                          const std::string& heading) {
        complaints_.add(node.source(), path_to(key),
                        "is " + kind_of(node) + "; say a table, " + heading);
    }
    void complain_of_unknown_keys() {
        for (const auto& [key, node] : table_) {
            if (std::find(known_.begin(), known_.end(), key.str()) == known_.end()) {
                complaints_.add(key.source(), path_to(key.str()),
                                "there is no such key; " + advice_on_key(key.str(), known_));
            }
        }
    }
    [[nodiscard]] std::string path_to(std::string_view key) const {
        return (path_.empty() ? "" : path_ + ".") + std::string(key);
    }

    const toml::table& table_;
    std::string path_;
    Section& target_;
    Complaints& complaints_;
    std::vector<std::string_view> known_;
};

Policy policy_of(const toml::table& table, Complaints& complaints) {
    Policy policy;
    const Reader<Policy> reader(table, "", policy, complaints);
    return policy;
}

}  // namespace

Policy parse_policy(std::string_view text, const std::string& name) {
    if (text.size() > longest_policy) {
        throw PolicyFileError(name, {{1, 1, "", "is longer than any policy: 1 MiB is the limit"}});
    }
    try {
        Complaints complaints;
        Policy policy = policy_of(toml::parse(text), complaints);
        if (!complaints.empty()) {
            throw PolicyFileError(name, complaints.take());
        }
        return policy;
    } catch (const toml::parse_error& error) {
        const toml::source_position where = error.source().begin;
        throw PolicyFileError(name,
                              {{where.line, where.column, "", std::string(error.description())}});
    }
}

}  // namespace syncspawn::sandbox
