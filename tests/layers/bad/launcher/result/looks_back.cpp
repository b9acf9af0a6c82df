#include "launcher/course/course.hpp"
