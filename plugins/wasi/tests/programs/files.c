/* Exercises files, directories, links, times and readdir; prints everything that must be equal under every implementation. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void report(const char *what, long result) {
    printf("%s: %ld%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerror(errno) : "");
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list(const char *path) {
    DIR *directory = opendir(path);
    if (!directory) {
        report(path, -1);
        return;
    }
    char *names[1000];
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) && count < 1000) {
        char line[300];
        snprintf(line, sizeof line, "%s type %d", entry->d_name, entry->d_type);
        names[count++] = strdup(line);
    }
    closedir(directory);
    qsort(names, count, sizeof *names, by_name);
    printf("%s has %d\n", path, count);
    for (int i = 0; i < count; i++)
        if (count < 20 || i % 50 == 0)
            puts(names[i]);
}

int main(void) {
    struct stat status;
    char buffer[100] = {0};
    report("mkdir", mkdir("/data/sub", 0777));
    report("mkdir again", mkdir("/data/sub", 0777));
    report("mkdir slash", mkdir("/data/sub/deep/", 0777));
    report("mkdir below nothing", mkdir("/data/none/deep", 0777));
    int fd = open("/data/sub/file", O_RDWR | O_CREAT | O_EXCL, 0666);
    report("open is valid", fd > 2);
    struct iovec pieces[3] = {{"", 0}, {"hello world", 11}, {"", 0}};
    report("writev", writev(fd, pieces, 3));
    report("lseek", lseek(fd, -5, SEEK_END));
    report("read", read(fd, buffer, 50));
    puts(buffer);
    report("pread", pread(fd, buffer, 3, 1));
    puts(buffer);
    report("pwrite", pwrite(fd, "J", 1, 0));
    report("lseek now", lseek(fd, 0, SEEK_CUR));
    report("lseek bad", lseek(fd, -1, SEEK_SET));
    report("ftruncate", ftruncate(fd, 8));
    report("fstat", fstat(fd, &status));
    printf("size %lld mode %o links %d\n", (long long)status.st_size, status.st_mode & S_IFMT, (int)status.st_nlink);
    report("fsync", fsync(fd));
    struct timespec times[2] = {{1000000000, 123456789}, {0, UTIME_OMIT}};
    report("futimens", futimens(fd, times));
    fstat(fd, &status);
    printf("atime %lld.%09ld\n", (long long)status.st_atim.tv_sec, status.st_atim.tv_nsec);
    report("close", close(fd));
    report("close again", close(fd));
    report("write closed", write(fd, "x", 1));
    report("exclusive", open("/data/sub/file", O_RDWR | O_CREAT | O_EXCL, 0666));
    fd = open("/data/sub/file", O_WRONLY | O_APPEND);
    report("append", write(fd, "++", 2));
    report("read of write only", read(fd, buffer, 1));
    close(fd);
    report("open missing", open("/data/sub/missing", O_RDONLY));
    report("open file as directory", open("/data/sub/file", O_RDONLY | O_DIRECTORY));
    report("file as component", open("/data/sub/file/x", O_RDONLY));
    report("symlink", symlink("sub/file", "/data/link"));
    report("readlink", readlink("/data/link", buffer, sizeof buffer));
    printf("%.8s\n", buffer);
    report("lstat", lstat("/data/link", &status));
    printf("is link %d\n", S_ISLNK(status.st_mode) != 0);
    report("stat", stat("/data/link", &status));
    printf("size %lld\n", (long long)status.st_size);
    report("link", link("/data/sub/file", "/data/hard"));
    stat("/data/hard", &status);
    printf("links %d\n", (int)status.st_nlink);
    report("rename", rename("/data/hard", "/data/sub/renamed"));
    report("rename missing", rename("/data/hard", "/data/sub/renamed"));
    report("unlink directory", unlink("/data/sub") < 0);
    report("rmdir not empty", rmdir("/data/sub"));
    report("rmdir file", rmdir("/data/sub/file"));
    report("loop", symlink("loop", "/data/loop"));
    report("open loop", open("/data/loop", O_RDONLY));
    symlink("../outside", "/data/escape");
    report("open escape fails", open("/data/escape", O_RDONLY) < 0);
    report("open outside fails", open("/data/../../etc/passwd", O_RDONLY) < 0);
    list("/data");
    list("/data/sub");
    for (int i = 0; i < 500; i++) {
        snprintf(buffer, sizeof buffer, "/data/sub/deep/number-%03d", i);
        close(open(buffer, O_WRONLY | O_CREAT, 0666));
    }
    list("/data/sub/deep");
    for (int i = 0; i < 500; i++) {
        snprintf(buffer, sizeof buffer, "/data/sub/deep/number-%03d", i);
        unlink(buffer);
    }
    list("/data/sub/deep");
    report("rmdir", rmdir("/data/sub/deep"));
    FILE *file = fopen("/data/text", "w");
    for (int i = 0; i < 10000; i++)
        fprintf(file, "line %d\n", i);
    fclose(file);
    file = fopen("/data/text", "r");
    unsigned sum = 0;
    for (int c; (c = getc(file)) != EOF;)
        sum = sum * 31 + (unsigned)c;
    printf("checksum %u at %ld\n", sum, ftell(file));
    fclose(file);
    return 0;
}
