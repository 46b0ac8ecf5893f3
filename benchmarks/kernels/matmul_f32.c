#define NUMBER float
#include "matmul.h"
