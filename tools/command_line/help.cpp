#include <algorithm>

#include "command_line.hpp"

namespace syncspawn::tools {
namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t widest_label = 26;

// The words of the text, in lines; those behind the first begin with `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent) {
    std::string result;
    std::size_t column = indent;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (column > indent && column + 1 + word.size() > columns) {
            result += '\n' + std::string(indent, ' ');
            column = indent;
        } else if (column > indent) {
            result += ' ';
            ++column;
        }
        result += word;
        column += word.size();
    }
    return result + '\n';
}

// "--chdir DIR", "--wait-ready[=TIMEOUT]"
std::string label_of(const Option& option) {
    const bool joined = option.argument.empty() || option.argument.starts_with('[');
    return std::string(option.names) + (joined ? "" : " ") + std::string(option.argument);
}

// A label, and what it means beside it, or below if the label is too wide.
std::string row(const std::string& label, std::string_view text, std::size_t width) {
    const std::size_t indent = 2 + width + 2;
    std::string line = "  " + label;
    line += label.size() > width ? '\n' + std::string(indent, ' ')
                                 : std::string(indent - line.size(), ' ');
    return line + wrapped(text, indent);
}

std::size_t width_for(const std::vector<std::string>& labels) {
    std::size_t width = 0;
    for (const std::string& label : labels) {
        width = label.size() > widest_label ? width : std::max(width, label.size());
    }
    return width;
}

std::string command_list(const std::vector<Entry>& commands) {
    std::vector<std::string> labels;
    for (const Entry& command : commands) {
        labels.emplace_back(command.name);
    }
    std::string text = commands.empty() ? "" : "\nCommands:\n";
    for (std::size_t at = 0; at < commands.size(); ++at) {
        text += row(labels[at], commands[at].summary, width_for(labels));
    }
    return text;
}

std::string option_list(const std::vector<Option>& options) {
    std::vector<std::string> labels;
    for (const Option& option : options) {
        labels.push_back(label_of(option));
    }
    std::string text;
    for (std::size_t at = 0; at < options.size(); ++at) {
        if (at == 0 || !options[at].group.empty()) {
            const std::string_view group = options[at].group;
            text += '\n' + std::string(group.empty() ? "Options" : group) + ":\n";
        }
        text += row(labels[at], options[at].help, width_for(labels));
    }
    return text;
}

std::string paragraphs(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const std::string_view paragraph = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), paragraph.size() + 1));
        result += '\n' + wrapped(paragraph, 0);
    }
    return result;
}

}  // namespace

std::string help_of(const CommandLine& line) {
    std::string usage = "Usage: ";
    usage += line.command;
    usage += ' ';
    usage += line.synopsis;
    return usage + '\n' + paragraphs(line.summary) + command_list(line.commands) +
           option_list(line.options) + paragraphs(line.notes);
}

}  // namespace syncspawn::tools
