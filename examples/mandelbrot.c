/* Fills an image in memory with iteration counts of the Mandelbrot set; the embedder looks at the memory. */
#define WIDTH 320
#define HEIGHT 240

static unsigned char image[HEIGHT][WIDTH];

__attribute__((export_name("width"))) int width(void) { return WIDTH; }
__attribute__((export_name("height"))) int height(void) { return HEIGHT; }

__attribute__((export_name("render"))) unsigned char *render(double center_x, double center_y, double scale) {
    for (int row = 0; row < HEIGHT; row++)
        for (int column = 0; column < WIDTH; column++) {
            double c_x = center_x + (column - WIDTH / 2) * scale, c_y = center_y + (row - HEIGHT / 2) * scale;
            double x = 0, y = 0;
            int count = 0;
            while (count < 255 && x * x + y * y <= 4) {
                double next = x * x - y * y + c_x;
                y = 2 * x * y + c_y;
                x = next;
                count++;
            }
            image[row][column] = (unsigned char)count;
        }
    return &image[0][0];
}
