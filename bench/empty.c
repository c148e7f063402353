/* A program that does nothing, linked to all that the command is linked to. */
int main(void)
{
    return 0;
}
