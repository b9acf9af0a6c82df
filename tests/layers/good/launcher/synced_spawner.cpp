#include "launcher/course/course.hpp"
#include <syncspawn/launcher.hpp>
