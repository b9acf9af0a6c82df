// Prints what it can read from each descriptor that its arguments name, and a blank; then the numbers
// of all its descriptors.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

int main(int count, char** arguments) {
    for (int index = 1; index < count; ++index) {
        char text[64];
        ssize_t size = 0;
        while ((size = read(std::atoi(arguments[index]), text, sizeof text)) > 0) {
            std::fwrite(text, 1, static_cast<std::size_t>(size), stdout);
        }
        std::fputc(' ', stdout);
    }
    for (int fd = 0; fd < 4096; ++fd) {
        if (fcntl(fd, F_GETFD) >= 0) {
            std::printf("%d ", fd);
        }
    }
    return 0;
}
