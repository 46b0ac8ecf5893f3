#define NUMBER double
#include "matmul.h"
